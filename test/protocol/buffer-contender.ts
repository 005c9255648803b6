// A proxy that takes what it has for the whole: it collects a request until it ends, in whatever way, then the reply likewise, and
// knows of nothing but requests and replies. What must not look complete does in it.

import http, { type IncomingMessage } from 'node:http';

const [port, replicaPort] = process.argv.slice(2).map(Number);

function collect(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  message.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
  return new Promise((resolve) => message.once('close', () => resolve(Buffer.concat(chunks))));
}

const server = http.createServer(async (request, response) => {
  const body = await collect(request);
  const { method, url, headers } = request;
  const { 'transfer-encoding': _, 'content-length': __, ...passed } = headers;
  const asked = http.request({
    port: replicaPort,
    method,
    path: url,
    headers: { ...passed, 'content-length': body.length },
  });
  let begun = false;
  asked.on('error', () => begun || response.writeHead(502).end());
  asked.on('response', async (reply) => {
    begun = true;
    const whole = await collect(reply);
    response.writeHead(reply.statusCode ?? 502, { 'content-length': whole.length }).end(whole);
  });
  asked.end(body);
});
process.on('uncaughtException', () => undefined);
server.listen(port, '127.0.0.1');
