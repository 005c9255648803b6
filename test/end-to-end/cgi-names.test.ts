// Servers that make variables of the names of fields, as CGI does, are those to which X_Real_IP is X-Real-IP: real ones are asked
// here what they have got.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { accepts } from '../fixtures/accepts.ts';
import { freePort } from '../fixtures/free-port.ts';
import { startProgram } from '../fixtures/program.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';

const APPLICATION = `
import json, sys
from wsgiref.simple_server import make_server, WSGIRequestHandler

def application(environ, start_response):
    body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0)).decode()
    seen = {name: value for name, value in environ.items() if name.startswith(('HTTP_', 'CONTENT_'))}
    data = json.dumps({'seen': seen, 'body': body}).encode()
    start_response('200 OK', [('Content-Type', 'application/json'), ('Content-Length', str(len(data)))])
    return [data]

class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

if __name__ == '__main__':
    make_server('127.0.0.1', int(sys.argv[1]), application, handler_class=Quiet).serve_forever()
`;

const SERVERS: Readonly<Record<string, (dir: string, port: number) => readonly [string, ...string[]]>> = {
  'python3 wsgiref': (dir, port) => ['python3', join(dir, 'application.py'), String(port)],
  gunicorn: (dir, port) => ['gunicorn', '--chdir', dir, '--bind', `127.0.0.1:${port}`, 'application:application'],
};

const FORGED = [
  ...['X_Real_IP', 'X-Real_IP', 'X_Forwarded_For', 'X-Forwarded_User', 'X-Forwarded-Access-Token', 'X_FORWARDED_PROTO'],
  ...['X-Forwarded-Preferred-Username', 'X_Forwarded_Tls_Client_Cert', 'Forwarded', 'X.Real.IP', 'X!Forwarded!Host'],
];

for (const [name, command] of Object.entries(SERVERS)) {
  const installed = spawnSync(name.split(' ')[0] as string, ['--version']).status === 0;
  const skip = installed ? false : `${name} is not installed`;
  t.test(`${name} sees nothing that a stranger has forged`, { skip }, async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'cgi-names-'));
    await writeFile(join(dir, 'application.py'), APPLICATION);
    const port = await freePort();
    const [file, ...args] = command(dir, port);
    const server = spawn(file, args, { stdio: 'ignore' });
    t.teardown(async () => {
      await stop(server);
      await rm(dir, { recursive: true, force: true });
    });
    while (!(await accepts(port))) await pause(20);
    const program = await startProgram(['--upstream', `127.0.0.1:${port}`, '--heartbeat-path', 'off']);
    t.teardown(() => program.stop());
    const answer = await exchangeRaw(
      program.port,
      `POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\nContent_Length: 2\r\nUser_Id: 7\r\n${FORGED.map(
        (field) => `${field}: forged\r\n`,
      ).join('')}\r\nabcde`,
    );
    const { seen, body } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
    t.equal(body, 'abcde');
    t.same(
      Object.entries(seen).filter(([, value]) => /forged/.test(String(value))),
      [],
    );
    t.match(seen, { HTTP_X_FORWARDED_FOR: '127.0.0.1', HTTP_X_FORWARDED_PROTO: 'http', HTTP_X_FORWARDED_HOST: 'a' });
    t.equal(seen.HTTP_USER_ID, '7', 'what is nobody’s passes');
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}
