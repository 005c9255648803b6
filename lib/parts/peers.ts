// What this balancer tells its peers, and what it finds of them.

import { type Digest, pairDigest } from '../core/members/agreement.ts';
import type { HashRing } from '../core/ring/ring.ts';
import { realClock } from '../fleet/clock.ts';
import { askPeer } from '../fleet/peers/ask.ts';
import { PeerWatch } from '../fleet/peers/peer-watch.ts';
import type { Log } from '../log.ts';
import type { Current } from '../reload/taker.ts';
import { keyOf } from '../settings/options.ts';
import { OWN_HASH } from '../settings/rules.ts';
import { OPTIONS } from '../settings/table.ts';

// Options that decide which replica a key leads to, or when it goes elsewhere. That of the hash is told by its pair.
const FLAGS = 'slots virtual-nodes key issue-cookie balance-factor balance-floor balance-by slow-start'.split(' ');

export interface Peers {
  readonly watch: PeerWatch;
  /** Takes each ring that requests go by. */
  observe(ring: HashRing): void;
  /** What other balancers compare. */
  digest(): Digest;
}

export function peersOf(current: Current, log: Log): Peers {
  let ring: HashRing | undefined;
  // A large ring takes a millisecond, and each peer asks every second.
  let known: { readonly of: HashRing | undefined; readonly digest: string } | undefined;
  const digest = (): Digest => {
    if (known === undefined || known.of !== ring) known = { of: ring, digest: ring?.digest() ?? '0'.repeat(16) };
    return { ring: known.digest, options: optionsThatMatter(current) };
  };
  const watch = new PeerWatch({ clock: realClock, log, ask: askPeer, own: digest });
  watch.use(current.options.peers);
  return {
    watch,
    observe: (next) => {
      ring = next;
    },
    digest,
  };
}

function optionsThatMatter({ options, pair }: Current): Record<string, string> {
  const written = FLAGS.map((flag) => {
    const row = OPTIONS.get(flag) as NonNullable<ReturnType<typeof OPTIONS.get>>;
    return [flag, row.kind.write(options[keyOf(flag, row) as keyof typeof options])];
  });
  const { hash, slots } = options;
  const isNamed = hash !== OWN_HASH && !hash.includes('/');
  return { hash: isNamed ? hash : `a module with ${pairDigest(pair, slots)}`, ...Object.fromEntries(written) };
}
