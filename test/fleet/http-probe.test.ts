import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { realClock } from '../../lib/fleet/clock.ts';
import { connectProbe, httpProbe, kindOf, noProbe, WrongAnswer } from '../../lib/fleet/health/http-probe.ts';

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
  await t.rejects(probe(address, signal), { message: 'it answers 503 to /healthz' });
  t.same(asked, ['/healthz', '/healthz', '/healthz']);
  await new Promise((resolve) => server.close(resolve));
  await t.rejects(probe(address, signal), { code: 'ECONNREFUSED' });
});

t.test('what is no HTTP is told as that', async (t) => {
  const server = net.createServer((socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .end('220 mail.example ESMTP\r\n'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = { type: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
  await t.rejects(httpProbe('/')(address, new AbortController().signal), {
    message: /^its answer to \/ is not HTTP\/1: Parse Error/,
  });
  await new Promise((resolve) => server.close(resolve));
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

t.test('which statuses are health, and the Host field, are options', async (t) => {
  const asked: (string | undefined)[] = [];
  const server = http.createServer((request, response) => {
    asked.push(request.headers.host);
    response.writeHead(302, { Location: '/login' }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = { type: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
  const { signal } = new AbortController();
  await t.rejects(httpProbe('/')(address, signal), {
    message: /^it answers 302 to \/: --heartbeat-status 200-399 takes/,
  });
  await httpProbe('/', [[200, 399]], 'shop.example')(address, signal);
  await httpProbe('/', [
    [200, 200],
    [302, 302],
  ])(address, signal);
  t.same(asked, [`127.0.0.1:${address.port}`, 'shop.example', `127.0.0.1:${address.port}`]);
  await new Promise((resolve) => server.close(resolve));
});

t.test('a connect alone tells who listens', async (t) => {
  const server = net.createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = { type: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
  const { signal } = new AbortController();
  await connectProbe()(address, signal);
  await new Promise((resolve) => server.close(resolve));
  await t.rejects(connectProbe()(address, signal), { code: 'ECONNREFUSED' });
  await t.rejects(connectProbe()({ type: 'unix', path: '/nowhere.sock' }, signal), { code: 'ENOENT' });
});

t.test('where something accepts in its place, a replica has to keep the connection, or to answer', async (t) => {
  let keeps = true;
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined).resume();
    if (!keeps) socket.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = { type: 'tcp', host: '127.0.0.1', port: (server.address() as AddressInfo).port } as const;
  const { signal } = new AbortController();
  await connectProbe({ clock: realClock, ms: 1 })(address, signal);
  keeps = false;
  await t.rejects(connectProbe({ clock: realClock, ms: 60_000 })(address, signal), {
    message: 'it closed the connection at once: does it listen on that port?',
  });
  await t.rejects(httpProbe('/x')(address, signal), {
    message: 'it closed the connection without an answer to /x: does it listen on that port?',
  });
  await new Promise((resolve) => server.close(resolve));
});

t.test('a refusal, an answer that will not change and any other failure are told apart', async (t) => {
  const failures = [404, 302, 401, 408, 429, 500, 501, 503].map((status) => [
    status,
    kindOf(new WrongAnswer(status, '/')),
  ]);
  t.same(failures, [
    [404, 'unfit'],
    [302, 'unfit'],
    [401, 'unfit'],
    [408, 'other'],
    [429, 'other'],
    [500, 'other'],
    [501, 'unfit'],
    [503, 'other'],
  ]);
  const coded = (code: string) => Object.assign(new Error(code), { code });
  t.equal(kindOf(coded('ECONNREFUSED')), 'refused');
  t.equal(kindOf(new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')])), 'refused');
  t.equal(kindOf(coded('ECONNRESET')), 'other');
  t.equal(kindOf(new Error('no answer to the heartbeat within 500 ms')), 'other');
});

t.test('a wrong answer is told with what may help against it, one that may become right without', async (t) => {
  const message = (status: number, path: string) => new WrongAnswer(status, path).message;
  t.equal(message(404, '/heartbeat'), 'it answers 404 to /heartbeat: is it there? --heartbeat-path / or tcp');
  t.equal(message(405, '/'), 'it answers 405 to /: is it there? another --heartbeat-path, or tcp');
  t.match(message(403, '/heartbeat'), /: may anybody ask it\? --heartbeat-path \/ or tcp$/);
  t.match(
    message(400, '/heartbeat'),
    /: is it there, for that Host\? --heartbeat-path \/ or tcp, or --heartbeat-host$/,
  );
  t.equal(message(429, '/heartbeat'), 'it answers 429 to /heartbeat');
});
