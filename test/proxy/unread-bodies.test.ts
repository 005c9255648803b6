// Bodies that a replica does not read: they must not become requests whose replies reach somebody else.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { pythonMissing, startHttpServer } from '../fixtures/http-server.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';

const EVIL = 'GET /evil HTTP/1.1\r\nHost: x\r\n\r\n';
const withLength = (body: string) => `Content-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (body: string) =>
  `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

// It answers at once, whatever the method, and reads no body.
const READS_NOTHING = `
    def answer(self): self.say(404 if self.command in ('POST', 'PUT') else 200, f'<{self.path}>')
    do_GET = do_HEAD = do_DELETE = do_OPTIONS = do_TRACE = do_PURGE = do_POST = do_PUT = answer
`;

t.test(
  'the attack on a real http.server: nobody gets the reply to what was in a body',
  {
    skip: pythonMissing() ?? false,
  },
  async (t) => {
    const port = await startHttpServer(t, READS_NOTHING);
    const proxy = await startProxy([tcp(port)]);
    t.teardown(() => proxy.close());
    for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE', 'PURGE', 'POST', 'PUT']) {
      for (const framed of [withLength, chunked]) {
        for (let round = 0; round < 5; round++) {
          const attacker = await connectRaw(proxy.port);
          attacker.send(`${method} /attacker HTTP/1.1\r\nHost: x\r\n${framed(EVIL)}`);
          await attacker.until(method === 'HEAD' ? /\r\n\r\n$/ : /<\/attacker>$/);
          const answer = await exchangeRaw(proxy.port, 'GET /own HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
          if (!answer.endsWith('</own>')) t.fail(`after ${method}: ${answer}`);
          attacker.socket.destroy();
        }
      }
      t.pass(method);
    }
  },
);

/** How many connections a replica sees of two requests, of which the first is this one. It reads what it is sent. */
async function connectionsAfter(t: Test, request: string, status: number): Promise<number> {
  let connections = 0;
  const replica = http.createServer((asked, response) => {
    asked.resume().once('end', () => {
      response.statusCode = asked.url === '/second' ? 200 : status;
      response.end();
    });
  });
  replica.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => replica.listen(0, '127.0.0.1', resolve));
  const proxy = await startProxy([tcp((replica.address() as AddressInfo).port)]);
  t.teardown(async () => {
    await proxy.close();
    replica.close();
  });
  const client = await connectRaw(proxy.port);
  client.send(request);
  await client.until(new RegExp(`^HTTP/1.1 ${status} .*\r\n\r\n`, 's'));
  client.send('GET /second HTTP/1.1\r\nHost: x\r\n\r\n');
  await client.until(/HTTP.*HTTP.*\r\n\r\n/s);
  client.socket.destroy();
  return connections;
}

for (const [method, status, connections] of [
  ['POST', 200, 1],
  ['POST', 204, 1],
  ['PUT', 201, 1],
  ['PATCH', 200, 1],
  ['QUERY', 200, 1],
  ['PROPFIND', 207, 1],
  ['POST', 303, 2],
  ['POST', 404, 2],
  ['POST', 501, 2],
  ['GET', 200, 2],
  ['HEAD', 200, 2],
  ['DELETE', 200, 2],
  ['OPTIONS', 200, 2],
  ['PURGE', 200, 2],
] as const) {
  t.test(
    `a connection that carried ${method} with a body and ${status} is ${connections === 1 ? '' : 'not '}kept`,
    async (t) => {
      const head = `${method} / HTTP/1.1\r\nHost: x\r\n`;
      t.equal(await connectionsAfter(t, head + withLength('abc'), status), connections);
      t.equal(await connectionsAfter(t, head + chunked('abc'), status), connections);
      t.equal(await connectionsAfter(t, `${head}Content-Length: 0\r\n\r\n`, status), 1, 'a length of 0 is no body');
      t.equal(await connectionsAfter(t, `${head}\r\n`, status), 1);
    },
  );
}
