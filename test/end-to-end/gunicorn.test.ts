// The real gunicorn as the only upstream: one worker that does one request at a time and ends after 15 of them, and clients that send
// more than it can do at once.

import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { accepts } from '../fixtures/accepts.ts';
import { freePort } from '../fixtures/free-port.ts';
import { startProgram } from '../fixtures/program.ts';

const APPLICATION = `
import time
def app(environment, start_response):
    body = environment['wsgi.input'].read()
    time.sleep(0.03)
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])
    return [body]
`;
const REQUESTS = 240;
const CLIENTS = 48;

const isThere = spawnSync('gunicorn', ['--version']).status === 0;

t.test(
  'no POST is lost to a worker that is busy or restarts',
  { skip: !isThere && 'gunicorn is not installed' },
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'ringmaster-gunicorn-'));
    await writeFile(join(directory, 'application.py'), APPLICATION);
    const port = await freePort();
    const options = ['--bind', `127.0.0.1:${port}`, '--max-requests', '15', '--log-level', 'error', 'application:app'];
    const server = spawn('gunicorn', options, { cwd: directory, stdio: 'ignore' });
    const ended = new Promise((resolve) => server.once('exit', resolve));
    t.teardown(async () => {
      server.kill('SIGTERM');
      await ended;
      await rm(directory, { recursive: true, force: true });
    });
    while (!(await accepts(port))) await sleep(50);
    const program = await startProgram(['--upstream', `127.0.0.1:${port}`, '--heartbeat-path', '/']);
    t.teardown(() => program.stop());

    const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
    t.teardown(() => agent.destroy());
    const post = () =>
      new Promise<string>((resolve, reject) => {
        const request = http.request({ port: program.port, method: 'POST', path: '/x', agent }, (response) => {
          let text = '';
          response.on('data', (bytes) => {
            text += bytes;
          });
          response.on('end', () => resolve(`${response.statusCode} ${text}`));
        });
        request.once('error', reject);
        request.end('a vote');
      });
    const answers = await Promise.all(Array.from({ length: REQUESTS }, post));
    t.same([...new Set(answers)], ['200 a vote']);
  },
);
