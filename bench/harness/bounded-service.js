// A service that can do so much and no more: it takes up requests one by one, and each takes a fixed time, in which the
// processor does nothing. In JavaScript, since it is run as any command is.

import http from 'node:http';

const { PORT = '', HOST, SERVICE_MS = '5' } = process.env;
const EACH_MS = Number(SERVICE_MS);
// When it has done all that it has taken up.
let freeMs = 0;

const server = http.createServer((request, response) => {
  if (request.url === '/heartbeat') {
    response.end();
    return;
  }
  const nowMs = performance.now();
  freeMs = Math.max(freeMs, nowMs) + EACH_MS;
  request.resume();
  setTimeout(() => response.end(`Hello from Server: ${process.env.SERVER_ID}`), freeMs - nowMs);
});
server.keepAliveTimeout = 60_000;
if (PORT.startsWith('/')) server.listen(PORT);
else server.listen(Number(PORT), HOST);
