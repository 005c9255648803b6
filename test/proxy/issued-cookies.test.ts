// Cookies that the balancer gives to clients without a key.

import t, { type Test } from 'tap';
import { hashText } from '../../lib/core/ring/hashes/text.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { keySources } from '../../lib/settings/lists/kinds.ts';
import { defaultOptions, type Options } from '../../lib/settings/options.ts';
import { routeTo, startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n';

async function played(t: Test, key: string, options: Partial<Options> = {}) {
  const replica = await scriptedReplica((socket, head) => {
    socket.write(/\r\nUpgrade: /.test(head) ? SWITCHED : reply('ok', 'Set-Cookie: app=1\r\n'));
  });
  const terms = { issueCookie: true, accessLog: 'all', ...options } as const;
  const proxy = await startProxy([tcp(replica.port)], terms, keySources.read(key));
  t.teardown(() => Promise.all([proxy.close(), replica.close()]));
  const ask = (fields = '', start = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n', body = '') =>
    exchangeRaw(proxy.port, `${start}${fields}\r\n${body}`);
  const keys = () => [...proxy.accessLog().matchAll(/"key":(\d+)/g)].map(([, number]) => Number(number));
  return { proxy, replica, ask, keys };
}

/** The values of the cookie in a reply, and what is said of them. */
function issued(got: string, name = 's'): { value: string; rest: string }[] {
  const fields = [...got.matchAll(new RegExp(`\\r\\nSet-Cookie: ${name}=([^;]*); ([^\\r]*)`, 'g'))];
  return fields.map(([, value = '', rest = '']) => ({ value, rest }));
}

t.test('a client without the cookie gets one, and its request goes by it like those that follow', async (t) => {
  const { ask, keys } = await played(t, 'cookie:s');
  const first = await ask();
  t.match(first, /\r\nSet-Cookie: app=1\r\n/, 'those of the replica stay');
  const [cookie, ...others] = issued(first);
  t.same(others, []);
  t.match(cookie?.value, /^[\w-]{22}$/, '128 bits in base64url');
  t.equal(cookie?.rest, 'Path=/; HttpOnly; SameSite=Lax');
  t.same(issued(await ask(`Cookie: a=b; s=${cookie?.value}\r\n`)), []);
  const key = hashText(`${cookie?.value}`);
  t.same(keys(), [key, key]);
  const more = [await ask('Cookie: s=\r\n'), ...(await Promise.all(Array.from({ length: 300 }, () => ask())))];
  t.equal(new Set(more.map((got) => issued(got)[0]?.value)).size, 301, 'each gets its own');
});

t.test('whoever has another key, or one in the body, gets none', async (t) => {
  const { ask, keys } = await played(t, 'header:x,json:user,cookie:s');
  t.same(issued(await ask('x: y\r\n')), []);
  const post = (body: string) =>
    ask(`Content-Length: ${body.length}\r\n`, 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n', body);
  t.same(issued(await post('{"user":"ann"}')), []);
  const [cookie] = issued(await post('{"nobody":"ann"}'));
  t.same(keys(), [hashText('y'), hashText('ann'), hashText(`${cookie?.value}`)]);
});

t.test('Secure behind TLS, by the word of a proxy that is trusted; Max-Age as the option says', async (t) => {
  const { ask } = await played(t, 'cookie:s', { trustProxy: ['loopback'], cookieMaxAgeMs: 86_400_000 });
  const rest = async (fields: string) => issued(await ask(fields))[0]?.rest;
  t.equal(await rest('X-Forwarded-Proto: https\r\n'), 'Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=86400');
  t.equal(await rest('X-Forwarded-Proto: HTTPS, http\r\n'), 'Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=86400');
  t.equal(await rest('X-Forwarded-Proto: http\r\n'), 'Path=/; HttpOnly; SameSite=Lax; Max-Age=86400');
  const { ask: untrusted } = await played(t, 'cookie:s');
  t.equal(issued(await untrusted('X-Forwarded-Proto: https\r\n'))[0]?.rest, 'Path=/; HttpOnly; SameSite=Lax');
});

t.test('a switch of protocols has it too, an error of the balancer does not', async (t) => {
  const { proxy, ask, replica } = await played(t, 'cookie:s');
  const client = await connectRaw(proxy.port);
  client.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n');
  const got = await client.until(/\r\n\r\n/);
  t.match(got, /^HTTP\/1.1 101 /);
  t.equal(issued(got).length, 1);
  client.socket.destroy();
  await replica.close();
  const refused = await ask();
  t.match(refused, /^HTTP\/1.1 503 /);
  t.notMatch(refused, /Set-Cookie/);
});

t.test('a plan may begin it and end it', async (t) => {
  const { proxy, replica, ask } = await played(t, 'cookie:s', { issueCookie: false });
  t.same(issued(await ask()), []);
  const publish = (issueCookie: boolean, name: string) => {
    const key = [{ type: 'cookie', name } as const];
    const traffic = trafficSettings({ ...defaultOptions(), balanceFactor: Number.POSITIVE_INFINITY, issueCookie, key });
    return proxy.publish({ order: [1], routes: [routeTo(1, tcp(replica.port))], traffic });
  };
  await publish(true, 'other');
  t.equal(issued(await ask(), 'other').length, 1);
  await publish(false, 'other');
  t.notMatch(await ask(), /Set-Cookie: other/);
});
