import t from 'tap';
import { HOSTNAME_PATTERN, randomName, sameHostname } from '../../lib/core/fleet/replica-name.ts';

t.test('a random name is `server_` and letters or digits, the same for the same seed and incarnation', async (t) => {
  for (let incarnation = 1; incarnation < 2000; incarnation++) {
    const name = randomName(1, incarnation, []);
    if (!/^server_[a-z0-9]{6}$/.test(name)) t.fail(name);
  }
  t.equal(randomName(1, 2, []), randomName(1, 2, []));
  t.not(randomName(1, 2, []), randomName(1, 3, []));
  t.not(randomName(1, 2, []), randomName(2, 2, []));
});

t.test('a random name avoids those that are taken, in whatever case', async (t) => {
  const first = randomName(1, 2, []);
  t.not(randomName(1, 2, [first.toUpperCase()]), first);
});

t.test('valid hostnames', async (t) => {
  for (const good of ['S5', 's', '7up', 'a_b.c-d', 'x'.repeat(63)]) t.match(good, HOSTNAME_PATTERN);
  for (const bad of ['', '_a', '.a', '-a', 'a b', 'a/b', 'ä', 'x'.repeat(64), 'a\n']) t.notMatch(bad, HOSTNAME_PATTERN);
  t.ok(sameHostname('S5', 's5'));
  t.notOk(sameHostname('S5', 'S6'));
});
