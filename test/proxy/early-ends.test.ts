// Ends that come early: of a replica that answers and closes while it is still sent to, of a client that sends on after
// its last request or does not, of one that ends its side before its tunnel begins or in its body; and of the wait of
// one that can go nowhere.

import net from 'node:net';
import t from 'tap';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

t.test('an answer is read although its replica has closed and takes no more of the request', async (t) => {
  // Not a scripted replica: it reads, and what has been read does not make the system reset the connection.
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig', () =>
      socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = await startProxy([tcp((server.address() as net.AddressInfo).port)]);
  t.teardown(async () => {
    await proxy.close();
    server.close();
  });
  const block = Buffer.alloc(65_536, 'a');
  for (let round = 0; round < 20; round++) {
    const client = await connectRaw(proxy.port);
    client.send('POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n');
    const sending = setInterval(() => client.socket.writable && client.socket.write(block), 1);
    t.match(await client.until(/\r\n\r\nbig$/), /^HTTP\/1\.1 413 /, `round ${round}`);
    clearInterval(sending);
    client.socket.destroy();
  }
});

t.test('the last reply arrives whole, whatever the client sends after its last request', async (t) => {
  const body = 'x'.repeat(200_000);
  const replica = await scriptedReplica((socket) => socket.write(reply(body)));
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  for (let round = 0; round < 5; round++) {
    const client = await connectRaw(proxy.port);
    client.send(get('/last', 'Connection: close\r\n'));
    const sending = setInterval(() => client.socket.writable && client.send(get('/more').repeat(500)), 1);
    // It reads when the proxy has written all, and has found what came meanwhile.
    client.socket.pause();
    while (proxy.log.filter((line) => line.event === 'request').length <= round) await turn();
    for (let count = 0; count < 20; count++) await turn();
    client.socket.resume();
    const { text, reset } = await client.closed;
    clearInterval(sending);
    t.equal(text.length - text.indexOf('\r\n\r\n') - 4, body.length);
    t.notOk(reset, 'and ends in order');
  }
});

t.test('where the client asks for the end, the connection holds no place until the client closes', async (t) => {
  const replica = await scriptedReplica((socket) => socket.write(reply('ok')));
  const proxy = await startProxy([tcp(replica.port)], { maxConnections: 1 });
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const last = get('/', 'Connection: close\r\n');
  for (const asks of [last, 'GET / HTTP/1.0\r\n\r\n', get('/') + last]) {
    const client = net.connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    client.write(asks);
    client.resume();
    await new Promise((resolve) => client.once('end', resolve));
    t.match(await exchangeRaw(proxy.port, last), /^HTTP\/1\.1 200 /, JSON.stringify(asks));
    client.destroy();
  }
});

t.test('a tunnel whose client ended its side before the 101 ends, and gives back its place', async (t) => {
  const held: net.Socket[] = [];
  const replica = await scriptedReplica((socket) => held.push(socket));
  const proxy = await startProxy([tcp(replica.port)], { clientHalfClose: 'allow' });
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const client = await connectRaw(proxy.port);
  client.socket.end(get('/chat', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'));
  while (held.length === 0) await turn();
  // What the proxy has of the client's end is not to be seen from outside; a whole round trip beside it comes later.
  const other = await connectRaw(proxy.port);
  other.send('GET /no HTTP/1.1\r\n\r\n');
  await other.closed;
  held[0]?.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  t.match((await client.closed).text, /^HTTP\/1\.1 101 /);
  await new Promise((resolve) => (held[0]?.destroyed ? resolve(0) : held[0]?.once('close', resolve)));
});

t.test('half a request is refused, also where its client ended its side while it waited', async (t) => {
  const held: net.Socket[] = [];
  const replica = await scriptedReplica((socket) => held.push(socket));
  const proxy = await startProxy([tcp(replica.port)], { clientHalfClose: 'allow' });
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  for (const body of ['', 'ab']) {
    const client = await connectRaw(proxy.port);
    client.socket.end(`${get('/1')}PUT /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n${body}`);
    while (held.length === 0) await turn();
    // A whole round trip beside it comes later than the client's end.
    const other = await connectRaw(proxy.port);
    other.send('GET /no HTTP/1.1\r\n\r\n');
    await other.closed;
    held.pop()?.write(reply('first'));
    const { text } = await client.closed;
    t.match(text, /^HTTP\/1\.1 200 .*firstHTTP\/1\.1 400 /s);
  }
});

t.test('a request that has failed at the free replica does not hold up those behind it', async (t) => {
  const held: net.Socket[] = [];
  const short: net.Socket[] = [];
  const busy = await scriptedReplica((socket) => held.push(socket));
  const other = await scriptedReplica((socket, head) => {
    if (head.startsWith('GET /fails')) socket.destroy();
    else if (head.startsWith('GET /short')) short.push(socket);
    else socket.write(reply('behind'));
  });
  const proxy = await startProxy([tcp(busy.port), tcp(other.port)], { maxInFlight: 1, queue: 10 });
  t.teardown(() => Promise.all([proxy.close(), busy.close(), other.close()]));
  (await connectRaw(proxy.port)).send(get('/hold'));
  while (held.length === 0) await turn();
  (await connectRaw(proxy.port)).send(get('/fails'));
  while (proxy.suspects.length === 0) await turn();
  (await connectRaw(proxy.port)).send(get('/short'));
  while (short.length === 0) await turn();
  const behind = await connectRaw(proxy.port);
  behind.send(get('/behind'));
  // It is in the line when a refused request beside it has its answer.
  t.match(await exchangeRaw(proxy.port, 'GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 /);
  short[0]?.write(reply('short'));
  t.match(await behind.until(/behind$/), /^HTTP\/1\.1 200 /);
});

t.test('a client that leaves in the middle of a body that nobody reads ends its connection and no more', async (t) => {
  const proxy = await startProxy([], {}, undefined, {}, (request) => (response) => {
    request.resume();
    setImmediate(() => response.end('mine'));
  });
  t.teardown(() => proxy.close());
  for (const rest of ['', 'no chunk\r\n']) {
    const client = await connectRaw(proxy.port);
    client.send(`POST /own HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n${rest}`);
    client.socket.end();
    await client.closed;
  }
  t.match(await exchangeRaw(proxy.port, get('/own', 'Connection: close\r\n')), /mine$/, 'the next is answered');
});

t.test('who writes an answer of the balancer’s own is told that its client has left, once', async (t) => {
  let closes = 0;
  const proxy = await startProxy([], {}, undefined, {}, () => (response) => {
    response.on('close', () => {
      closes += 1;
      t.ok(response.destroyed);
    });
    response.write('a');
  });
  t.teardown(() => proxy.close());
  for (let round = 1; round <= 2; round++) {
    const client = await connectRaw(proxy.port);
    client.send(get('/own'));
    await client.until(/a\r\n$/);
    client.socket.destroy();
    while (closes < round) await turn();
  }
  await turn();
  t.equal(closes, 2);
});
