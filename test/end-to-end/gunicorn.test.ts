// The real gunicorn as the only upstream: one worker, which handles one request at a time and exits after 15, and
// clients that send more than it can handle at once.

import http from 'node:http';
import t from 'tap';
import { type PeerKind, startPeer, unlessInstalled } from '../../bench/harness/peers.ts';
import { startProgram } from '../../bench/harness/program.ts';

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

t.test('no POST is lost to a worker that is busy or restarts', { skip: unlessInstalled('gunicorn') }, async (t) => {
  const options = ['--max-requests', '15', '--log-level', 'error', 'application:app'];
  const gunicorn: PeerKind = {
    words: ({ port }) => ['gunicorn', '--bind', `127.0.0.1:${port}`, ...options],
    files: () => ({ 'application.py': APPLICATION }),
  };
  const server = await startPeer(gunicorn, {});
  t.teardown(() => server.stop());
  const program = await startProgram(['--upstream', `127.0.0.1:${server.port}`, '--heartbeat-path', '/']);
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
});
