// A service that takes any number of requests at a time, each for a fixed time, in which the processor does nothing: as
// one that waits for a database. In JavaScript, since it is run as any command is.

import http from 'node:http';

const { PORT = '', HOST, SERVICE_MS = '200' } = process.env;

const server = http.createServer((request, response) => {
  request.resume();
  setTimeout(() => response.end('ok'), request.url === '/heartbeat' ? 0 : Number(SERVICE_MS));
});
server.keepAliveTimeout = 60_000;
if (PORT.startsWith('/')) server.listen(PORT);
else server.listen(Number(PORT), HOST);
