// The endpoints on a Unix socket: its mode says who may use it, and a socket left by a killed balancer is replaced.

import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';

const directory = await mkdtemp(join(tmpdir(), 'ringmaster-admin-'));
t.teardown(() => rm(directory, { recursive: true }));
const path = join(directory, 'admin.sock');

/** Asks as `curl --unix-socket` does. */
const ask = async (method: string, target: string, body = ''): Promise<number | undefined> =>
  (await answerTo(method, target, body)).status;
const said = async (method: string, target: string): Promise<string> => (await answerTo(method, target)).text;
const answerTo = (method: string, target: string, body = ''): Promise<{ status: number | undefined; text: string }> =>
  new Promise((resolve, reject) => {
    const request = http.request({ socketPath: path, method, path: target, agent: false });
    request.on('response', async (response) => {
      resolve({ status: response.statusCode, text: (await response.toArray()).join('') });
    });
    request.on('error', reject);
    request.end(body);
  });
const start = (...args: string[]) => startProgram(['--replicas', '1', '--admin-socket', path, ...args]);

t.test('who may open it may change the fleet; the public port has nothing of it', async (t) => {
  const program = await start('--host', '0.0.0.0');
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.match(program.output(), `its own endpoints: ${path}\n`);
  t.notMatch(program.output(), /admin token/);
  t.equal(await ask('POST', '/add', '{"n":1}'), 200);
  t.equal(await ask('GET', '/home'), 404);
  t.match(
    await said('GET', '/balancer/rings'),
    /only the endpoints of the balancer: there are \/rep, .*\/balancer\/ring,/,
  );
  t.match(await said('POST', '/rm'), /only the endpoints of the balancer: \/rm takes DELETE"/);
  t.match((await program.json('/rep')).body, { message: /'\/rep' endpoint does not exist/ });

  await t.rejects(start(), {
    message: /admin\.sock is in use: end what uses it, or choose another with --admin-socket/,
  });
  t.equal(await ask('GET', '/rep'), 200, 'and stays as it is');

  program.process.kill('SIGKILL');
  await program.exited;
  t.ok(existsSync(path));
  const again = await start('--admin-socket-mode', '0660', '--admin-token', 'right');
  t.equal(statSync(path).mode & 0o777, 0o660);
  t.equal(await ask('POST', '/add', '{"n":1}'), 401);
  await again.stop();
  t.notOk(existsSync(path), 'it is gone at the end');
});

t.test('what is there and no socket stays', async (t) => {
  await writeFile(path, 'mine');
  await t.rejects(start(), { message: /admin\.sock is in use/ });
  t.equal(statSync(path).size, 4);
});
