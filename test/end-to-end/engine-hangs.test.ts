// An engine that accepts a connection and never answers; this needs no real one.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));

/** Starts the program against an engine played by `answer`. Resolves when `answer` has left a call open. */
async function startAgainst(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => boolean) {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-engine-'));
  const server = http.createServer();
  const hanging = new Promise<void>((resolve) => {
    server.on('request', (request, response) => {
      request.resume();
      if (!answer(request, response)) resolve();
    });
  });
  server.listen(join(directory, 'docker.sock'));
  await once(server, 'listening');
  const program = spawn(
    process.execPath,
    [MAIN, '--port', '0', '--runtime', 'docker', '--fleet', 'test-hangs', '--docker-image', 'any'],
    { env: { ...process.env, DOCKER_HOST: `unix://${directory}/docker.sock` }, stdio: 'ignore' },
  );
  t.teardown(async () => {
    program.kill('SIGKILL');
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true });
  });
  await hanging;
  return program;
}

const json = (response: ServerResponse, value: unknown) => {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
  return true;
};

t.test('SIGTERM is heard while the engine is asked whether it is there', async (t) => {
  const program = await startAgainst(t, () => false);
  program.kill('SIGTERM');
  t.same(await once(program, 'exit'), [0, null]);
});

t.test('SIGTERM is heard while the engine is asked which replicas there are', async (t) => {
  const program = await startAgainst(t, ({ url = '' }, response) => {
    if (url.includes('/containers/json') || url.includes('/events')) return url.includes('/events');
    return json(response, {});
  });
  program.kill('SIGTERM');
  t.same(await once(program, 'exit'), [0, null]);
});
