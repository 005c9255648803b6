// A service whose connections last: an event stream that ticks, WebSockets that echo, plain answers, one that never
// ends, and a line on standard output now and then. In JavaScript, since it is run as any command is.

import http from 'node:http';
import { WebSocketServer } from 'ws';

const TICK_MS = 100;
const LINE_MS = 250;

const server = http.createServer((request, response) => {
  if (request.url === '/endless') {
    response.write('begun');
    return;
  }
  if (request.url !== '/events') {
    response.end(`Hello from Server: ${process.env.SERVER_ID} of process ${process.pid}`);
    return;
  }
  response.writeHead(200, { 'Content-Type': 'text/event-stream' });
  const ticking = setInterval(() => response.write(`data: ${process.pid}\n\n`), TICK_MS);
  response.once('close', () => clearInterval(ticking));
  response.write('data: begins\n\n');
});
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('error', () => undefined);
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
let line = 0;
setInterval(() => {
  line += 1;
  console.log(`line ${line} of ${process.pid}`);
}, LINE_MS);
server.keepAliveTimeout = 60_000;
const { PORT = '', HOST } = process.env;
// A path, if replicas listen on sockets.
if (PORT.startsWith('/')) server.listen(PORT);
else server.listen(Number(PORT), HOST);
