import t from 'tap';
import { hashText } from '../../lib/core/ring/hashes/text.ts';
import { trustRule } from '../../lib/http/trust.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const from = (...values: string[]) => values.flatMap((value) => ['X-Forwarded-For', value]);

t.test('who is trusted: addresses, networks, loopback, all, nobody', async (t) => {
  const rule = trustRule(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']);
  for (const address of ['10.1.2.3', '192.0.2.1', '2001:db8::7']) t.ok(rule.trusts(address), address);
  for (const address of ['11.0.0.1', '192.0.2.2', '2001:db9::7', '127.0.0.1', '::1', 'unknown']) {
    t.notOk(rule.trusts(address), address);
  }
  const loopback = trustRule(['loopback']);
  for (const address of ['127.0.0.1', '127.9.9.9', '::1']) t.ok(loopback.trusts(address), address);
  t.notOk(loopback.trusts('10.0.0.1'));
  t.ok(trustRule(['all']).trusts('198.51.100.9'));
  t.notOk(trustRule([]).trusts('127.0.0.1'));
});

t.test('the origin is the last address that a trusted proxy vouches for', async (t) => {
  const rule = trustRule(['10.0.0.0/8']);
  t.equal(rule.originOf('10.0.0.1', []), '10.0.0.1');
  t.equal(rule.originOf('10.0.0.1', from('198.51.100.1')), '198.51.100.1');
  t.equal(rule.originOf('10.0.0.1', from('198.51.100.1, 10.0.0.2')), '198.51.100.1');
  t.equal(rule.originOf('10.0.0.1', from('198.51.100.1', '10.0.0.3, 10.0.0.2')), '198.51.100.1');
  t.equal(
    rule.originOf('10.0.0.1', from('spoofed, 198.51.100.1')),
    '198.51.100.1',
    'what it sent itself counts for nothing',
  );
  t.equal(trustRule(['all']).originOf('10.0.0.1', from('198.51.100.1, 203.0.113.1')), '198.51.100.1');
});

t.test('the port of a hop is no part of its address', async (t) => {
  const rule = trustRule(['10.0.0.0/8', '2001:db8::/32']);
  t.equal(rule.originOf('10.0.0.1', from('203.0.113.9:40001')), '203.0.113.9');
  t.equal(rule.originOf('10.0.0.1', from('203.0.113.9:40001, 10.0.0.2:9')), '203.0.113.9', 'also of a trusted one');
  t.equal(rule.originOf('10.0.0.1', from('[2001:db9::1]:443, [2001:db8::2]:443')), '2001:db9::1');
  t.equal(rule.originOf('10.0.0.1', from('[2001:DB9::1]')), '2001:db9::1');
  t.equal(rule.originOf('10.0.0.1', from('2001:db9::1')), '2001:db9::1', 'its last part is no port');
  t.equal(rule.originOf('10.0.0.1', from('[::FFFF:203.0.113.9]:1')), '203.0.113.9');
  for (const odd of ['unknown', '_hidden', '[', '[]', ':', '[::1', '203.0.113.9:']) {
    t.doesNotThrow(() => rule.originOf('10.0.0.1', from(odd)), odd);
  }
});

t.test('`--key client` goes by the origin that the rule gives', async (t) => {
  const replica = await scriptedReplica((socket) => socket.write(reply('ok')));
  const ask = async (trustProxy: readonly string[]) => {
    const proxy = await startProxy([tcp(replica.port)], { trustProxy }, [{ type: 'client' }]);
    const got = await exchangeRaw(
      proxy.port,
      'GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.1\r\nX-Ringmaster-Explain: 1\r\nConnection: close\r\n\r\n',
    );
    await proxy.close();
    return Number(/\r\nX-Ringmaster-Key: (\d+)\r\n/.exec(got)?.[1]);
  };
  t.teardown(() => replica.close());
  t.equal(await ask([]), hashText('127.0.0.1'));
  t.match(replica.received[0], /\r\nX-Forwarded-For: 127.0.0.1\r\n/);
  t.equal(await ask(['loopback']), hashText('198.51.100.1'));
  t.match(replica.received[1], /\r\nX-Forwarded-For: 198.51.100.1, 127.0.0.1\r\n/);
});
