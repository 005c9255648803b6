// Keeps the fleet as it is wanted: every event goes through `observe`, then the state is published, probe loops are matched
// to the replicas that are up, and what `plan` asks for and is not yet under way is begun. It may run twice without harm.

import { type FleetEvent, nextDueMs, observe, plan, startRounds } from '../core/fleet/fleet.ts';
import { fleetNews } from '../core/fleet/fleet-news.ts';
import { emptyFleet, type FleetState, predecessors, type Seat, type Wish } from '../core/fleet/fleet-state.ts';
import { isSettled } from '../core/fleet/outage.ts';
import { sameHostname } from '../core/fleet/replica-name.ts';
import type { FleetRules } from '../core/fleet/seats.ts';
import type { Probe, ReplicaRef, RuntimeNews } from '../core/ports.ts';
import type { SeatId } from '../core/ring/ring.ts';
import { asBalancerError, BalancerError, describe, isFinal } from '../errors.ts';
import { within } from './clock.ts';
import { type HeartbeatPace, Heartbeats } from './heartbeat.ts';
import { type News, Underway, type UnderwayLimits, type UnderwayPorts } from './underway.ts';
import { Waiters } from './waiters.ts';

export interface SupervisorRules extends FleetRules, HeartbeatPace, UnderwayLimits {
  readonly inventoryIntervalMs: number;
  /** How long `begin` waits for the first replicas, in ms. */
  readonly beginTimeoutMs: number;
  /** So many failed starts of a seat in a row make `/add` give up. */
  readonly joinAttempts: number;
}

export interface SupervisorPorts extends UnderwayPorts {
  readonly probe: Probe;
  /** Gets every new state, before anything is done about it. Must not throw. */
  readonly publish: (state: FleetState) => void;
}

export class Supervisor {
  readonly #ports: SupervisorPorts;
  readonly #rules: SupervisorRules;
  #state: FleetState;
  readonly #backlog: FleetEvent[] = [];
  #dispatching = false;
  readonly #underway: Underway;
  readonly #heartbeats: Heartbeats;
  readonly #waiters = new Waiters();
  #alarm = new AbortController();
  #closing = false;
  #startsNoMore = false;
  readonly #closed = new AbortController();
  #unwatch: () => void = () => undefined;

  constructor(ports: SupervisorPorts, rules: SupervisorRules, first: { nameSeed: number; lastIncarnation: number }) {
    this.#ports = ports;
    this.#rules = rules;
    this.#heartbeats = new Heartbeats(ports.probe, ports.clock, rules, ports.log, (incarnation, failure, kind) =>
      this.#dispatch({ type: 'probed', incarnation, failure, kind }),
    );
    this.#underway = new Underway(ports, rules, (news) => this.#dispatch(news));
    this.#state = emptyFleet(first.nameSeed, first.lastIncarnation);
  }

  get state(): FleetState {
    return this.#state;
  }

  /** All are on their way out: what is left of the fleet is not what was wanted. */
  get isClosing(): boolean {
    return this.#closing;
  }

  /** The state as it would be after a change. Nothing is done. */
  readonly imagine = {
    added: (wishes: readonly Wish[]): FleetState => this.#imagine({ type: 'add', wishes, slowly: true }),
    removed: (replicas: readonly ReplicaRef[]): FleetState =>
      this.#imagine({ type: 'remove', seats: replicas.map((replica) => replica.seat) }),
  };

  /** A request failed at that replica: it is probed at once and is last choice until it answers. */
  suspect(incarnation: number): void {
    const before = this.#state;
    this.#dispatch({ type: 'suspected', incarnation });
    // Once only: if each of many failing requests brought a probe, a moment of overload would convict within it.
    if (this.#state !== before) this.#heartbeats.hurry(incarnation);
  }

  /**
   * The first replicas: those that an earlier process left go on in their seats, and of the wishes, each with a hostname of its own,
   * as many are added as are missing. Resolves when each serves or has failed `joinAttempts` times, at the latest after
   * `beginTimeoutMs`; or, where some were left, when any serves: it is an outage that lasts until then. Those that do not serve go on
   * trying. Throws what can't be mended by trying.
   */
  async begin(wishes: readonly Wish[]): Promise<void> {
    this.#dispatch({ type: 'adopt', present: await this.#ports.runtime.list() });
    // Not before: to an inventory, what an earlier process left would be nobody's, and stopped.
    this.#unwatch = this.#ports.runtime.watch((news) => this.#hear(news));
    void this.#takeInventories();
    const there = this.#state.seats.map((seat) => seat.replica.hostname);
    const free = wishes.filter(({ hostname = '' }) => !there.some((other) => sameHostname(other, hostname)));
    const missing = free.slice(0, Math.max(0, wishes.length - there.length));
    this.#dispatch({ type: 'add', wishes: missing, slowly: false });
    // Else nobody would be told of a fleet that is empty from the start.
    if (this.#state.seats.length === 0) this.#ports.publish(this.#state);
    const settled = () =>
      this.#state.seats.every((seat) => {
        if (seat.lapses.final) throw notUp(seat);
        return isSettled(seat, this.#rules.joinAttempts);
      });
    if (there.length === 0) {
      await this.#waitAtMost(this.#rules.beginTimeoutMs, settled);
    } else {
      // Each that is well has answered by then, and has its keys from the first request on.
      await this.#waitAtMost(2 * this.#rules.timeoutMs, settled);
      const anyServes = ({ seats }: FleetState) => seats.length === 0 || seats.some(({ phase }) => phase === 'serving');
      await this.#waitAtMost(this.#rules.beginTimeoutMs, () => anyServes(this.#state));
    }
  }

  // The start goes on with the fleet that is there by then.
  async #waitAtMost(limitMs: number, condition: () => boolean): Promise<void> {
    const late = () => new BalancerError('start-failed', 'not all replicas are up yet');
    const until = (signal: AbortSignal) => this.#waiters.until(condition, signal);
    await within(this.#ports.clock, limitMs, until, late).catch((error) => {
      if (isFinal(asBalancerError(error))) throw error;
    });
  }

  /**
   * One new seat for each wish. Resolves when all serve. Throws `start-failed` or
   * `name-taken` when one does not come up; then none of them stays.
   */
  async add(wishes: readonly Wish[]): Promise<void> {
    const { runtime } = this.#ports;
    const seats = () => this.#state.seats.map((seat) => seat.replica.seat);
    // Not where nothing is to be kept: a change then begins at once.
    const finished = runtime.announce === undefined ? undefined : await runtime.announce(seats());
    try {
      await this.#add(wishes, new Set(seats()));
    } finally {
      await finished?.();
    }
  }

  async #add(wishes: readonly Wish[], before: ReadonlySet<SeatId>): Promise<void> {
    this.#checkStarts();
    this.#dispatch({ type: 'add', wishes, slowly: true });
    const added = () => this.#state.seats.filter((seat) => !before.has(seat.replica.seat));
    const joined = added();
    const serve = () => {
      this.#checkStarts();
      const failed = added().find((seat) => seat.lapses.final || seat.lapses.count >= this.#rules.joinAttempts);
      if (failed !== undefined) throw notUp(failed);
      const removed = joined.find((seat) => !added().some((one) => one.replica.seat === seat.replica.seat));
      if (removed !== undefined) throw notUp(removed, 'was removed before it was up');
      return added().every((seat) => seat.phase === 'serving');
    };
    // The attempts and the waits between them: a name that is not given back would keep a seat waiting for ever.
    const { joinAttempts, startTimeoutMs } = this.#rules;
    const limitMs = joinAttempts * startTimeoutMs * startRounds(this.#state, this.#rules) + 5000;
    const late = () => {
      const reason = added().find((seat) => seat.lapses.reason !== '')?.lapses.reason;
      const why = reason === undefined ? '' : `: ${reason}`;
      return new BalancerError('start-failed', `not all of them were up within ${limitMs} ms${why}`);
    };
    try {
      await within(this.#ports.clock, limitMs, (signal) => this.#waiters.until(serve, signal), late);
    } catch (error) {
      await this.remove(added().map((seat) => seat.replica)).catch(() => undefined);
      const { code, message } = asBalancerError(error);
      throw new BalancerError(code, `${message}; nothing was added`, { cause: error });
    }
  }

  /** Takes those replicas' seats off the ring at once. Resolves when they have finished their requests and are gone. */
  async remove(replicas: readonly ReplicaRef[]): Promise<void> {
    this.#dispatch({ type: 'remove', seats: replicas.map((replica) => replica.seat) });
    const staying = () => this.#state.leaving.find((one) => replicas.some((r) => r.seat === one.replica.seat));
    // Draining and ending may each take the grace; the rest is for a slow runtime.
    const limitMs = 3 * this.#rules.graceMs + 5000;
    const late = () => {
      const hostname = staying()?.replica.hostname;
      return new BalancerError('stop-failed', `${hostname} is out of the ring but did not end in ${limitMs} ms`);
    };
    const gone = (signal: AbortSignal) => this.#waiters.until(() => staying() === undefined, signal);
    await within(this.#ports.clock, limitMs, gone, late);
  }

  /** Who waits for replicas that come up is told at once that they will not. All else goes on until `close`. */
  startNoMore(): void {
    this.#startsNoMore = true;
    this.#waiters.check();
  }

  /** Ends every replica, then the runtime. Resolves also if some could not be ended: the log says which. */
  async close(): Promise<void> {
    this.#closing = true;
    this.startNoMore();
    try {
      await this.remove(this.#state.seats.map((seat) => seat.replica));
    } catch (error) {
      this.#ports.log.error('replicas-left', { reason: describe(error) });
    }
    this.#closed.abort();
    this.#alarm.abort();
    this.#unwatch();
    this.#heartbeats.match([]);
    await this.#ports.runtime.close();
  }

  #checkStarts(): void {
    if (this.#startsNoMore) throw new BalancerError('closing', 'the balancer is shutting down');
  }

  #hear(news: RuntimeNews): void {
    switch (news.type) {
      case 'exited':
        this.#dispatch({ type: 'exited', incarnation: news.replica.incarnation, reason: news.reason });
        break;
      case 'doubted':
        this.#heartbeats.hurry(news.replica.incarnation);
        break;
      case 'restored':
        this.#dispatch({ type: 'restored' });
        void this.#takeInventory();
        break;
    }
  }

  #imagine(news: News): FleetState {
    return observe(this.#state, { ...news, atMs: this.#ports.clock.now() } as FleetEvent, this.#rules);
  }

  #dispatch(news: News): void {
    this.#backlog.push({ ...news, atMs: this.#ports.clock.now() } as FleetEvent);
    // An action begun below may report at once: its event waits until this one is dealt with.
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let event = this.#backlog.shift(); event !== undefined; event = this.#backlog.shift()) this.#apply(event);
    } finally {
      this.#dispatching = false;
    }
    this.#waiters.check();
  }

  #apply(event: FleetEvent): void {
    const before = this.#state;
    this.#state = observe(before, event, this.#rules);
    if (this.#state !== before) {
      for (const { event: name, replica, reason } of fleetNews(before, this.#state)) {
        const isLoss = name === 'replica-down' || name === 'replica-lost';
        const write = isLoss ? this.#ports.log.warn : this.#ports.log.info;
        write(name, { ...replica, ...(reason === undefined ? {} : { reason }) });
      }
      this.#ports.publish(this.#state);
      this.#heartbeats.match(probed(this.#state));
    }
    this.#act();
  }

  #act(): void {
    const nowMs = this.#ports.clock.now();
    for (const action of plan(this.#state, nowMs, this.#rules)) {
      if (action.type === 'start') this.#underway.start(action.replica);
      else void this.#underway.stop(action.replica, action.drains);
    }
    this.#alarm.abort();
    const dueMs = nextDueMs(this.#state, nowMs);
    if (dueMs === Number.POSITIVE_INFINITY || this.#closed.signal.aborted) return;
    this.#alarm = new AbortController();
    this.#ports.clock.sleep(dueMs - nowMs, this.#alarm.signal).then(
      () => this.#act(),
      () => undefined,
    );
  }

  async #takeInventories(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      await this.#ports.clock.sleep(this.#rules.inventoryIntervalMs, signal).catch(() => undefined);
      if (!signal.aborted) await this.#takeInventory();
    }
  }

  async #takeInventory(): Promise<void> {
    const { clock, runtime, log } = this.#ports;
    const askedAtMs = clock.now();
    try {
      this.#dispatch({ type: 'inventory', present: await runtime.list(), askedAtMs });
    } catch (error) {
      log.error('inventory-failed', { reason: describe(error) });
    }
  }
}

// Those that are up, and those that are routed to until another serves in their place.
function probed(state: FleetState) {
  const up = state.seats.filter((seat) => seat.phase !== 'vacant' && seat.phase !== 'starting');
  return [...up, ...predecessors(state)];
}

function notUp(seat: Seat, how = `did not come up: ${seat.lapses.reason}`): BalancerError {
  const code = seat.lapses.final ? 'name-taken' : 'start-failed';
  return new BalancerError(code, `${seat.replica.hostname} ${how}`);
}
