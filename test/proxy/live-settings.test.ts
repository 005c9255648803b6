// Settings that change while a connection is open hold for its next request.

import t, { type Test } from 'tap';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { defaultOptions, type Options } from '../../lib/settings/options.ts';
import { routeTo, startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const ASK = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

async function begun(t: Test) {
  const replica = await scriptedReplica((socket) => socket.write(reply('hi')));
  const proxy = await startProxy([tcp(replica.port)]);
  t.teardown(async () => {
    await proxy.close();
    await replica.close();
  });
  const change = (options: Partial<Options>) =>
    proxy.publish({
      order: [1],
      routes: [routeTo(1, tcp(replica.port))],
      traffic: trafficSettings({ ...defaultOptions(), balanceFactor: Number.POSITIVE_INFINITY, ...options }),
    });
  return { proxy, change, client: await connectRaw(proxy.port), replica };
}

t.test('the Via field of requests and replies', async (t) => {
  const { change, client, replica } = await begun(t);
  client.send(ASK);
  t.match(await client.until(/hi$/), /Via: 1\.1 ringmaster/);
  await change({ via: false });
  client.send(ASK);
  const [, second = ''] = (await client.until(/hi.*hi$/s)).split(/hi(?=H)/);
  t.notMatch(second, /Via/);
  t.notMatch(replica.received.join('').split('\r\n\r\n')[1] ?? '', /Via/);
});

t.test('the largest body, the time for a head, and how many requests a connection may carry', async (t) => {
  const { change, client, proxy } = await begun(t);
  client.send(ASK);
  await client.until(/hi$/);
  await change({ maxBodySizeBytes: 2, maxRequestsPerConnection: 2 });
  client.send(ASK);
  const { text } = await client.closed;
  t.match(text, /hi$/, 'the second request was its last');
  const other = await connectRaw(proxy.port);
  other.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
  t.match((await other.closed).text, / 413 /);
  const slow = await connectRaw(proxy.port);
  slow.send('GET / HTTP/1.1\r\n');
  await change({ headTimeoutMs: 50 });
  t.match((await slow.closed).text, / 408 /);
});
