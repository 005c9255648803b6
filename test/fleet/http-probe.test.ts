import http from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { httpProbe, noProbe } from '../../lib/fleet/http-probe.ts';

t.test('2xx is health, anything else is not, and the reason is said', async (t) => {
  let status = 200;
  const asked: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    asked.push(request.url);
    response.writeHead(status).end('body');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = { type: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
  const probe = httpProbe('/healthz');
  const signal = new AbortController().signal;
  await probe(address, signal);
  status = 204;
  await probe(address, signal);
  status = 503;
  await t.rejects(probe(address, signal), { message: 'the heartbeat was answered with 503' });
  t.same(asked, ['/healthz', '/healthz', '/healthz']);
  await new Promise((resolve) => server.close(resolve));
  await t.rejects(probe(address, signal), { code: 'ECONNREFUSED' });
});

t.test('a probe that is given up lets go of its connection', async (t) => {
  const server = http.createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = { type: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
  await t.rejects(httpProbe('/')(address, AbortSignal.timeout(50)));
  await new Promise((resolve) => server.close(resolve));
});

t.test('without probing every replica is healthy', async () => {
  await noProbe({ type: 'unix', path: '/nowhere' }, new AbortController().signal);
});
