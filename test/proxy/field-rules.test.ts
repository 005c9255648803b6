import fc from 'fast-check';
import t from 'tap';
import type { Underscores } from '../../lib/core/traffic-settings.ts';
import { isAlias, kindOf, mayHaveRule } from '../../lib/http/field-rules.ts';
import { requestHead } from '../../lib/http/headers.ts';
import { trailerSection } from '../../lib/http/trailers.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const token = fc.string({
  unit: fc.constantFrom(...TOKEN_CHARACTERS),
  minLength: 1,
  maxLength: 300,
});
// Names of which somebody could think that they are covered: the table's own are not looked at here.
const FORWARDING = fc.oneof(
  fc.constantFrom('forwarded', 'x-real-ip', 'x-forwarded', 'x-forwarded-for', 'x-forwarded-access-token'),
  token.map((rest) => `x-forwarded-${rest}`),
);
const OTHERS = fc.constantFrom(
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'upgrade'],
  ...['transfer-encoding', 'host', 'content-length', 'expect', 'max-forwards', 'date', 'x-ringmaster-explain'],
);
const anyCase = (names: fc.Arbitrary<string>) =>
  fc.tuple(names, fc.infiniteStream(fc.boolean())).map(([name, upper]) => {
    const letters = upper[Symbol.iterator]();
    return [...name].map((one) => (letters.next().value ? one.toUpperCase() : one)).join('');
  });
// As CGI and those that took after it read them.
const alias = (names: fc.Arbitrary<string>) =>
  fc.tuple(names, fc.infiniteStream(fc.constantFrom(...'-_.!~^|'))).map(([name, odd]) => {
    const odds = odd[Symbol.iterator]();
    return [...name].map((one) => (/[a-z0-9]/i.test(one) ? one : odds.next().value)).join('');
  });

const head = (name: string, value: string, underscores: Underscores = 'drop-owned', trusted = false) => {
  const rawHeaders = ['Host', 'a', 'X-First', '1', name, value, 'X-Last', '1'];
  const request = { method: 'GET', url: '/', httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders };
  return requestHead(request, { address: '192.0.2.7', trusted }, underscores).text;
};
const has = (text: string, name: string) => text.toLowerCase().includes(`\r\n${name.toLowerCase()}: forged\r\n`);

t.test('whatever name a rule covers is looked at, in any case and of any length', async () => {
  fc.assert(
    fc.property(fc.oneof(anyCase(FORWARDING), anyCase(OTHERS), token), (name) => {
      if (kindOf(name.toLowerCase()) !== undefined || isAlias(name.toLowerCase())) return mayHaveRule(name);
      return true;
    }),
    { numRuns: 5000 },
  );
});

t.test('the attack: no name for where a request comes from passes from a stranger', async () => {
  fc.assert(
    fc.property(
      anyCase(FORWARDING),
      (name) => !has(head(name, 'forged'), name) && !has(head(name, 'forged', 'pass'), name),
    ),
    { numRuns: 3000 },
  );
});

t.test('the attack: no name that CGI reads as one of ours passes, not even from a proxy that is trusted', async () => {
  fc.assert(
    fc.property(alias(fc.oneof(FORWARDING, OTHERS)), fc.boolean(), (name, trusted) => {
      const isOwn = !/[^a-z0-9-]/i.test(name);
      return isOwn || !has(head(name, 'forged', 'drop-owned', trusted), name);
    }),
    { numRuns: 3000 },
  );
});

t.test('the attack: none of them comes in a trailer, in whatever spelling', async () => {
  fc.assert(
    fc.property(anyCase(alias(fc.oneof(FORWARDING, OTHERS))), (name) => trailerSection([name, 'forged']) === ''),
    { numRuns: 3000 },
  );
});

t.test('every other name passes as it is', async () => {
  fc.assert(
    fc.property(token, (name) => {
      const lower = name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
      return kindOf(lower) !== undefined || head(name, 'b').includes(`\r\n${name}: b\r\nX-Last: 1\r\n`);
    }),
    { numRuns: 3000 },
  );
});

t.test('--underscores says which odd names go: those like ours, all, or none', async (t) => {
  const replica = await scriptedReplica((socket) => socket.write(reply('ok')));
  t.teardown(() => replica.close());
  const arrived = async (underscores: Underscores) => {
    const proxy = await startProxy([tcp(replica.port)], { underscores });
    const fields = ['X_Real_IP: 1', 'Content_Length: 5', 'user_id: 2', 'a.b: 3', 'X-Plain: 4'];
    await exchangeRaw(proxy.port, `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${fields.join('\r\n')}\r\n\r\n`);
    await proxy.close();
    const lines = replica.received.at(-1)?.split('\r\n') ?? [];
    return fields.filter((field) => lines.includes(field));
  };
  t.same(await arrived('drop-owned'), ['user_id: 2', 'a.b: 3', 'X-Plain: 4']);
  t.same(await arrived('drop'), ['X-Plain: 4']);
  t.same(await arrived('pass'), ['X_Real_IP: 1', 'Content_Length: 5', 'user_id: 2', 'a.b: 3', 'X-Plain: 4']);
});
