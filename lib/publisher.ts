// The one cell: what the fleet publishes, the proxy goes by. While a seat starts slowly, the ring changes with time too.

import { draining, type FleetState, resting, routes } from './core/fleet/fleet-state.ts';
import { failsOpen, mayReturn, whyNone } from './core/fleet/outage.ts';
import type { HashRing } from './core/ring/ring.ts';
import type { RingKeeper } from './core/ring/ring-keeper.ts';
import { realClock } from './fleet/clock.ts';
import type { Log } from './log.ts';
import type { Routing } from './proxy/replicas/routing-table.ts';
import type { Options } from './settings/options.ts';

/** Gets every state of the fleet, and publishes what follows from it, at once and when time alone changes it. */
export function createPublisher(
  options: Options,
  rings: RingKeeper,
  log: Log,
  publish: (routing: Routing, state: FleetState, ring: HashRing) => void,
): (state: FleetState) => void {
  let known: HashRing | undefined;
  let alarm = new AbortController();
  const { failOpen } = options;
  let isOpen = false;
  const publishNow = (state: FleetState) => {
    const { ring, policy, nextChangeMs } = rings.keep(state, realClock.now());
    const outage = {
      whyNone: whyNone(state, failOpen),
      // Without heartbeats nobody knows what comes back.
      mayEnd: options.heartbeatPath !== 'off' && mayReturn(state),
    };
    const taking = routes(state, failOpen);
    publish({ policy, routes: taking, draining: draining(state), resting: resting(state), outage }, state, ring);
    if (failsOpen(state, failOpen) !== isOpen) {
      isOpen = !isOpen;
      const to = taking.map((route) => route.replica.hostname);
      if (isOpen) log.warn('failing-open', { reason: 'no replica passes its heartbeats', to });
      else log.info('failing-open-ended');
    }
    if (ring !== known) {
      known = ring;
      log.info('ring-changed', {
        seats: state.seats.map((seat) => seat.replica.seat),
        digest: ring.digest(),
        hash: options.hash,
      });
    }
    alarm.abort();
    if (nextChangeMs === Number.POSITIVE_INFINITY) return;
    alarm = new AbortController();
    realClock.sleep(nextChangeMs - realClock.now(), alarm.signal).then(
      () => publishNow(state),
      () => undefined,
    );
  };
  return publishNow;
}
