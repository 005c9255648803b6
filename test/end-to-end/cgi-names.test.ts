// Servers that turn field names into variables, as CGI does, take X_Real_IP for X-Real-IP. Real ones are asked here
// what they got.

import t from 'tap';
import { type Setup, startPeer, unlessInstalled } from '../../bench/harness/peers.ts';
import { startProgram } from '../../bench/harness/program.ts';
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

const SERVERS: Readonly<Record<string, (setup: Setup) => readonly string[]>> = {
  'python3 wsgiref': ({ port }) => ['python3', 'application.py', String(port)],
  gunicorn: ({ port }) => ['gunicorn', '--bind', `127.0.0.1:${port}`, 'application:application'],
};

const FORGED = [
  ...['X_Real_IP', 'X-Real_IP', 'X_Forwarded_For', 'X-Forwarded_User', 'X-Forwarded-Access-Token', 'X_FORWARDED_PROTO'],
  ...['X-Forwarded-Preferred-Username', 'X_Forwarded_Tls_Client_Cert', 'Forwarded', 'X.Real.IP', 'X!Forwarded!Host'],
];

for (const [name, words] of Object.entries(SERVERS)) {
  const skip = unlessInstalled(name.split(' ')[0] as string);
  t.test(`${name} sees nothing that a stranger has forged`, { skip }, async (t) => {
    const server = await startPeer({ words, files: () => ({ 'application.py': APPLICATION }) }, {});
    t.teardown(() => server.stop());
    const program = await startProgram(['--upstream', `127.0.0.1:${server.port}`, '--heartbeat-path', 'off']);
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
