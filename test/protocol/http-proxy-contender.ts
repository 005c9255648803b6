// http-proxy as its manual has it, with a keep-alive agent, in a process of its own: a bad reply may end it. It is here to be
// measured, and so that cases are seen to fail.

import http from 'node:http';
import { createRequire } from 'node:module';

// It has no types of its own.
const httpProxy = createRequire(import.meta.url)('http-proxy');
const [port, ...replicaPorts] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true });
const proxy = httpProxy.createProxyServer({ agent, xfwd: true });
let turn = 0;
const target = () => ({ target: `http://127.0.0.1:${replicaPorts[turn++ % replicaPorts.length]}` });
proxy.on('error', (_error: Error, _request: unknown, response: http.ServerResponse) => {
  if ('writeHead' in response && !response.headersSent) response.writeHead(502).end();
  else response.destroy();
});
const server = http.createServer((request, response) => proxy.web(request, response, target()));
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head, target()));
server.listen(port, '127.0.0.1');
