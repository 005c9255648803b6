// Servers that people put behind a balancer to try it, and the tools that they try it with.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { pythonMissing, startHttpServer } from '../fixtures/http-server.ts';

const run = promisify(execFile);

async function abMissing(): Promise<string | false> {
  const found = await run('ab', ['-V']).catch(() => undefined);
  return found === undefined ? 'no ab here: apt-get install apache2-utils' : false;
}

const skip = pythonMissing() ?? (await abMissing());

// Python's http.server speaks HTTP/1.0 by default: one connection for each request, and a backlog of 5.
for (const [version, handler, options] of [
  ['HTTP/1.0', `    protocol_version = 'HTTP/1.0'`, []],
  ['HTTP/1.1', '', []],
  ['HTTP/1.1 with --replica-keep-alive off', '', ['--replica-keep-alive', 'off']],
] as const) {
  t.test(`ab with 16 clients on an http.server of ${version}: no request fails`, { skip }, async (t) => {
    const port = await startHttpServer(t, `${handler}\n    def do_GET(self): self.say(200, 'served')`);
    // On a busy machine the first packet of a connection is lost more than twice. test/proxy/slow-connects.test.ts is
    // about that.
    const patience = ['--connect-timeout', '30s', '--queue-timeout', '30s'];
    const upstream = ['--upstream', `127.0.0.1:${port}`, '--heartbeat-path', 'off', ...patience];
    const program = await startProgram([...upstream, ...options]);
    t.teardown(() => program.stop());
    const { stdout } = await run('ab', ['-q', '-s', '60', '-c', '16', '-n', '1000', `${program.url}/`]);
    t.match(stdout, /Complete requests: +1000\n/);
    t.match(stdout, /Failed requests: +0\n/);
    t.notMatch(stdout, /Non-2xx/);
  });
}
