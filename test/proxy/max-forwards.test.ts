import t from 'tap';
import { hopsLeft } from '../../lib/http/max-forwards.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const request = (method: string, ...values: string[]) => ({
  method,
  url: '/',
  httpVersionMajor: 1,
  httpVersionMinor: 1,
  rawHeaders: values.flatMap((value) => ['max-Forwards', value]),
});

t.test('it is counted down for TRACE and OPTIONS only', async (t) => {
  t.equal(hopsLeft(request('TRACE', '5')), 4);
  t.equal(hopsLeft(request('OPTIONS', '0')), -1);
  t.equal(hopsLeft(request('OPTIONS')), undefined);
  t.equal(hopsLeft(request('GET', '0')), undefined);
  t.equal(hopsLeft(request('TRACE', '9'.repeat(40))), 2 ** 31 - 2, 'a number too large to count is lowered');
  for (const value of ['', '-1', '1.5', 'x'])
    t.throws(() => hopsLeft(request('TRACE', value)), { code: 'bad-request' });
  t.throws(() => hopsLeft(request('TRACE', '1', '1')), { code: 'bad-request' });
});

t.test('at 0 it is answered here, else it goes on with one less', async (t) => {
  const replica = await scriptedReplica((socket) => socket.write(reply('from the replica')));
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const ask = (line: string, hops: string) =>
    exchangeRaw(
      proxy.port,
      `${line} HTTP/1.1\r\nHost: x\r\n${hops}Cookie: secret\r\nX: y\r\nConnection: close\r\n\r\n`,
    );

  const trace = await ask('TRACE /a?b', 'Max-Forwards: 0\r\n');
  t.match(trace, /^HTTP\/1.1 200 OK\r\nDate: .*\r\nVia: 1.1 ringmaster\r\nContent-Type: message\/http\r\n/);
  t.match(trace, /\r\n\r\nTRACE \/a\?b HTTP\/1.1\r\nHost: x\r\nMax-Forwards: 0\r\nX: y\r\nConnection: close\r\n\r\n$/);
  t.notMatch(trace, /secret/, 'the attack: to read a cookie from the echo');
  const options = await ask('OPTIONS *', 'Max-Forwards: 0\r\n');
  t.match(options, /^HTTP\/1.1 200 OK\r\n.*\r\nAllow: GET, .*\r\nContent-Length: 0\r\n.*\r\n\r\n$/s);
  t.same(replica.received, []);

  t.match(await ask('OPTIONS *', 'Max-Forwards: 1\r\n'), /from the replica$/);
  t.match(replica.received.join(), /^OPTIONS \* HTTP\/1.1\r\n.*\r\nMax-Forwards: 0\r\n/s);
  t.match(await ask('TRACE /', ''), /from the replica$/);
  t.match(await ask('GET /', 'Max-Forwards: 0\r\n'), /from the replica$/);
  t.match(replica.received.join(), /GET \/ HTTP\/1.1\r\n.*\r\nMax-Forwards: 0\r\n/s);
});

t.test('the connection goes on after such an answer', async (t) => {
  const proxy = await startProxy([]);
  t.teardown(() => proxy.close());
  const client = await connectRaw(proxy.port);
  for (const count of [1, 2]) {
    client.send('TRACE / HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\n\r\n');
    await client.until((text) => text.match(/\r\n\r\nTRACE \//g)?.length === count);
  }
  client.socket.destroy();
});
