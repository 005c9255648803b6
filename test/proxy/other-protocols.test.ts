import type { IncomingMessage } from 'node:http';
import t from 'tap';
import { correctVersion } from '../../lib/proxy/front/http1/other-protocols.ts';

/** A connection that has read these bytes, and counts the looks at them. */
function connection(text: string) {
  const socket = {
    bytesRead: text.length,
    looks: 0,
    parser: {
      getCurrentBuffer: () => {
        socket.looks += 1;
        return Buffer.from(text, 'latin1');
      },
    },
  };
  const majorOf = (method: string, url = '/p', httpVersionMinor = 1) => {
    const request = { method, url, httpVersionMajor: 1, httpVersionMinor, socket };
    correctVersion(request as unknown as IncomingMessage);
    return request.httpVersionMajor;
  };
  return { socket, majorOf };
}

t.test('the attack: many requests in one read are looked at once, not each at all of them', async (t) => {
  const many = connection(
    `${'OPTIONS /p HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2000)}OPTIONS /q RTSP/1.1\r\nHost: a\r\n\r\n`,
  );
  for (let count = 0; count < 2000; count++) many.majorOf('OPTIONS');
  t.equal(many.majorOf('OPTIONS', '/q'), 0);
  t.equal(many.socket.looks, 1);
  many.socket.bytesRead += 1;
  many.majorOf('OPTIONS');
  t.equal(many.socket.looks, 2, 'a look for each read');
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(many.majorOf('OPTIONS', '/q'), 0);
  t.equal(many.socket.looks, 3, 'what was found is not kept');
});

t.test('ordinary requests are not looked at', async (t) => {
  const { socket, majorOf } = connection('GET /p HTTP/1.1\r\nHost: a\r\n\r\n');
  for (const method of ['GET', 'POST', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
    socket.bytesRead += 30;
    t.equal(majorOf(method), 1, method);
  }
  t.equal(socket.looks, 0);
  majorOf('GET', '/p', 0);
  t.equal(socket.looks, 1, 'those of HTTP/1.0 are');
});

t.test('what the parser takes for no other protocol than RTSP or ICE is none of HTTP', async (t) => {
  for (const method of ['DESCRIBE', 'SETUP', 'PLAY', 'TEARDOWN', 'FLUSH'])
    t.equal(connection('').majorOf(method), 0, method);
  t.equal(connection('SOURCE /p ICE/1.0\r\n').majorOf('SOURCE'), 0);
  t.equal(connection('SOURCE /p HTTP/1.1\r\n').majorOf('SOURCE'), 1);
  t.equal(connection('Host: a\r\n\r\n').majorOf('SOURCE'), 0, 'nor what cannot be seen to be');
  t.equal(connection('Host: a\r\n\r\n').majorOf('GET'), 1, 'but one in pieces is');
});
