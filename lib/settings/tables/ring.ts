// Options of the ring, and of what else decides where a request goes.

import { goesByRequestId, type KeySource } from '../../core/request/key-source.ts';
import { HASH_NAMES } from '../../core/ring/hashes/table.ts';
import { choice, decimal, duration, hashSource, integer, onOff, orOff } from '../kinds.ts';
import { keySources } from '../lists/kinds.ts';
import { atStart, DAY_MS, group, option, settled } from '../option.ts';

const LAID_OUT = atStart('the seats that there are were given out within it');

const BALANCED_BY = ['requests', 'bytes'] as const;
type BalanceBy = (typeof BALANCED_BY)[number];

export const RING = group('Ring', 'which replica a request goes to', {
  hash: option(hashSource(HASH_NAMES), 'even', 'live', 'hash pair of the ring: a name, or the path of your own module'),
  slots: option(integer(1, 65_536), 512, LAID_OUT, 'slots of the ring'),
  'virtual-nodes': option(integer(1, 256), 9, LAID_OUT, 'virtual nodes per replica'),
  key: option(
    keySources,
    [{ type: 'request' }] as readonly KeySource[],
    'live',
    'what a request is hashed by: the first one it has',
  ),
  'issue-cookie': option(
    onOff,
    false,
    'live',
    'give a client without a key the cookie that `--key` ends with, with a random value',
  ),
  'cookie-max-age': option(
    orOff(duration(1000, 400 * DAY_MS)),
    Number.POSITIVE_INFINITY,
    'live',
    'how long a browser keeps that cookie; off: until it is closed',
  ),
  'balance-factor': settled(
    orOff(decimal(1, 100)),
    '1.25 with balance-by bytes, or with even and no key, else off',
    // The pairs beside `even` are there to show how they spread, so nothing evens that out unless somebody asks for it.
    // And whoever sets a key wants its requests in one place: with few in flight, the bound would send every second
    // request of a session elsewhere. Whoever says what to balance by asks for it.
    (given, { hash, key, balanceBy }: { hash: string; key: readonly KeySource[]; balanceBy: BalanceBy }) => {
      const isBound = balanceBy === 'bytes' || (hash === 'even' && goesByRequestId(key));
      return given ?? (isBound ? 1.25 : Number.POSITIVE_INFINITY);
    },
    'live',
    'most requests in flight at a replica, as a multiple of its fair part',
  ),
  'balance-floor': settled(
    integer(1, 10_000),
    '8 with a key, else 1',
    (given, { key }: { key: readonly KeySource[] }) => given ?? (goesByRequestId(key) ? 1 : 8),
    'live',
    'so many requests in flight are never too many for a replica by that factor',
  ),
  'balance-by': option(
    choice(BALANCED_BY),
    'requests',
    'live',
    'what is in flight is compared by: the number of requests, or what they weigh by the size of their bodies',
  ),
  'slow-start': settled(
    duration(0, DAY_MS),
    '0ms',
    // A replica cannot be warm for requests that go by their id.
    (given = 0, { key }: { key: readonly KeySource[] }) => (goesByRequestId(key) ? 0 : given),
    'live',
    'time over which a replica that joins takes its slots, if `--key` is set',
  ),
  'ease-outliers': settled(
    onOff,
    'on with no key, else off',
    // Requests that go by their id are alike wherever they go. Those of a key need not be: where all of a heavy path go
    // to one replica, it is no outlier for that; and whoever sets a key wants its requests in one place.
    (given, { key }: { key: readonly KeySource[] }) => given ?? goesByRequestId(key),
    'live',
    'fewer requests, down to an eighth, for a replica that is slower or fails more than the others of the same seconds',
  ),
});
