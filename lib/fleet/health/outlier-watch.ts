// Watches for replicas that are slower than the others or fail more, once a second, and has them get fewer requests.
// lib/core/traffic/outliers.ts decides; this reads the measures for it, publishes what it says, and logs it.

import type { Route } from '../../core/fleet/fleet-state.ts';
import type { Clock } from '../../core/ports.ts';
import { type Eased, reasonText, shareText } from '../../core/ring/easing.ts';
import { Outliers } from '../../core/traffic/outliers.ts';
import type { PlaneReading } from '../../core/traffic/plane-reading.ts';
import type { Log } from '../../log.ts';

export interface OutlierPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** Asked for each second, since it may change. */
  readonly isOn: () => boolean;
  /** The replicas that take requests. */
  readonly routes: () => readonly Route[];
  readonly reading: () => Promise<PlaneReading>;
  /** Has requests go by it. May reject: then a later one may hold. */
  readonly publish: (eased: readonly Eased[]) => Promise<void>;
}

const SECOND_MS = 1000;
// With fewer there is nobody to compare one with, and nobody to take what it does not get.
const LEAST_REPLICAS = 3;

const NOBODY: readonly Eased[] = [];

export class OutlierWatch {
  readonly #ports: OutlierPorts;
  readonly #closed = new AbortController();
  #outliers = new Outliers();
  #eased = NOBODY;

  constructor(ports: OutlierPorts) {
    this.#ports = ports;
  }

  /** Who is eased now, the worst first. The same object while nothing changes. */
  get eased(): readonly Eased[] {
    return this.#eased;
  }

  /** Starts to look. */
  begin(): void {
    void this.#lookEverySecond();
  }

  close(): void {
    this.#closed.abort();
  }

  async #lookEverySecond(): Promise<void> {
    const { signal } = this.#closed;
    for (;;) {
      await this.#ports.clock.sleep(SECOND_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      const eased = await this.#look();
      if (signal.aborted) return;
      if (eased !== undefined) this.#take(eased);
    }
  }

  // `undefined` for a look that failed: the next one makes up for it.
  async #look(): Promise<readonly Eased[] | undefined> {
    const { isOn, routes, reading } = this.#ports;
    if (!isOn() || routes().length < LEAST_REPLICAS) {
      this.#outliers = new Outliers();
      return NOBODY;
    }
    const measured = await reading().catch(() => undefined);
    return measured && this.#outliers.look(routes(), measured.seats);
  }

  #take(eased: readonly Eased[]): void {
    const before = this.#eased;
    if (textOf(eased) === textOf(before)) return;
    this.#eased = eased;
    this.#tell(before, eased);
    // The publisher tells of a plan that is refused.
    this.#ports.publish(eased).catch(() => undefined);
  }

  #tell(before: readonly Eased[], after: readonly Eased[]): void {
    const { log, routes, isOn } = this.#ports;
    const isAmong = (list: readonly { readonly replica: Eased['replica'] }[], { replica }: Eased) =>
      list.some((one) => one.replica.incarnation === replica.incarnation);
    for (const one of after) {
      if (isAmong(before, one)) continue;
      const { replica, share, why } = one;
      const { hostname, seat, incarnation } = replica;
      const reason = reasonText(why);
      log.warn('replica-eased', { hostname, seat, incarnation, reason, share: shareText(share), ...why });
    }
    for (const one of before) {
      const { hostname, seat, incarnation } = one.replica;
      // The end of one that is gone has been told.
      if (isAmong(after, one) || !isAmong(routes(), one)) continue;
      const reason = isOn() ? 'it does not stand out any more' : 'outliers are not eased any more';
      log.info('replica-recovered', { hostname, seat, incarnation, reason });
    }
  }
}

// What is worth a new plan. Times and parts alone are not, or each second would have one.
function textOf(eased: readonly Eased[]): string {
  return eased.map(({ replica, share, why }) => `${replica.incarnation} ${share} ${why.type}`).join();
}
