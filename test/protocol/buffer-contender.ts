// A proxy that takes whatever it has for the whole message: it collects a request until it ends in any way, then the
// reply in the same way, and knows nothing else. So it shows as complete what must not look complete.

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
