// Keeps the fleet as it is wanted: every event goes through `observe`, then the state is published, probe loops are matched
// to the replicas that are up, and what `plan` asks for and is not yet under way is begun. It may run twice without harm.

import { type FleetEvent, nextDueMs, observe, plan } from '../core/fleet.ts';
import { fleetNews } from '../core/fleet-news.ts';
import { emptyFleet, type FleetState, type Seat, type Wish } from '../core/fleet-state.ts';
import { isSettled } from '../core/outage.ts';
import type { Clock, Probe, ReplicaRef, ReplicaRuntime, RuntimeNews } from '../core/ports.ts';
import { sameHostname } from '../core/replica-name.ts';
import type { FleetRules } from '../core/seats.ts';
import { asBalancerError, BalancerError, describe, isFinal, localShortage } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from './clock.ts';
import { type HeartbeatPace, Heartbeats } from './heartbeat.ts';
import { Waiters } from './waiters.ts';

export interface SupervisorRules extends FleetRules, HeartbeatPace {
  /** How long a replica that was asked to leave may finish its requests, and how long to end after that, in ms. */
  readonly graceMs: number;
  readonly inventoryIntervalMs: number;
  /** How long `begin` waits for the first replicas, in ms. */
  readonly beginTimeoutMs: number;
  /** So many failed starts of a seat in a row make `/add` give up. */
  readonly joinAttempts: number;
}

export interface SupervisorPorts {
  readonly runtime: ReplicaRuntime;
  readonly probe: Probe;
  readonly clock: Clock;
  readonly log: Log;
  /** Gets every new state, before anything is done about it. Must not throw. */
  readonly publish: (state: FleetState) => void;
  /** Resolves when the data plane has no request left at that replica, at the latest when the signal is aborted. */
  readonly drained: (replica: ReplicaRef, signal: AbortSignal) => Promise<void>;
}

// `Omit` would merge the union into one shape.
type News = FleetEvent extends infer Event ? (Event extends FleetEvent ? Omit<Event, 'atMs'> : never) : never;

export class Supervisor {
  readonly #ports: SupervisorPorts;
  readonly #rules: SupervisorRules;
  #state: FleetState;
  readonly #backlog: FleetEvent[] = [];
  #dispatching = false;
  readonly #starts = new Map<number, { abort: AbortController; done: Promise<void> }>();
  readonly #stops = new Set<number>();
  readonly #heartbeats: Heartbeats;
  readonly #waiters = new Waiters();
  #alarm = new AbortController();
  readonly #closed = new AbortController();
  readonly #unwatch: () => void;

  constructor(ports: SupervisorPorts, rules: SupervisorRules, first: { nameSeed: number; lastIncarnation: number }) {
    this.#ports = ports;
    this.#rules = rules;
    this.#heartbeats = new Heartbeats(ports.probe, ports.clock, rules, ports.log, (incarnation, failure, kind) =>
      this.#dispatch({ type: 'probed', incarnation, failure, kind }),
    );
    this.#state = emptyFleet(first.nameSeed, first.lastIncarnation);
    this.#unwatch = ports.runtime.watch((news) => this.#hear(news));
    void this.#takeInventories();
  }

  get state(): FleetState {
    return this.#state;
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
   * The first replicas: those that an earlier process left go on in their seats, and of the hostnames as many are added as
   * are missing. Resolves when each serves or has failed `joinAttempts` times, at the latest after `beginTimeoutMs`; those
   * that do not serve go on trying. Throws what can't be mended by trying.
   */
  async begin(hostnames: readonly string[]): Promise<void> {
    this.#dispatch({ type: 'adopt', present: await this.#ports.runtime.list() });
    const there = this.#state.seats.map((seat) => seat.replica.hostname);
    const free = hostnames.filter((hostname) => !there.some((other) => sameHostname(other, hostname)));
    const missing = free.slice(0, Math.max(0, hostnames.length - there.length));
    const wishes = missing.map((hostname) => ({ hostname, weight: 1 }));
    this.#dispatch({ type: 'add', wishes, slowly: false });
    const settled = () =>
      this.#state.seats.every((seat) => {
        if (seat.lapses.final) throw notUp(seat);
        return isSettled(seat, this.#rules.joinAttempts);
      });
    const late = () => new BalancerError('start-failed', 'not all replicas are up yet');
    const allSettled = (signal: AbortSignal) => this.#waiters.until(settled, signal);
    await within(this.#ports.clock, this.#rules.beginTimeoutMs, allSettled, late).catch((error) => {
      // The fleet that is there by then has to do; the others go on trying.
      if (isFinal(asBalancerError(error))) throw error;
    });
  }

  /**
   * One new seat for each wish. Resolves when all serve. Throws `start-failed` or
   * `name-taken` when one does not come up; then none of them stays.
   */
  async add(wishes: readonly Wish[]): Promise<void> {
    const before = new Set(this.#state.seats.map((seat) => seat.replica.seat));
    this.#dispatch({ type: 'add', wishes, slowly: true });
    const added = () => this.#state.seats.filter((seat) => !before.has(seat.replica.seat));
    const serve = () => {
      const failed = added().find((seat) => seat.lapses.final || seat.lapses.count >= this.#rules.joinAttempts);
      if (failed !== undefined) throw notUp(failed);
      if (added().length < wishes.length) throw new BalancerError('closing', 'the balancer is shutting down');
      return added().every((seat) => seat.phase === 'serving');
    };
    // The attempts and the waits between them: a name that is not given back would keep a seat waiting for ever.
    const limitMs = this.#rules.joinAttempts * this.#rules.startTimeoutMs + 5000;
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

  /** Ends every replica, then the runtime. Resolves also if some could not be ended: the log says which. */
  async close(): Promise<void> {
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
        const write = name === 'replica-down' ? this.#ports.log.warn : this.#ports.log.info;
        write(name, { ...replica, ...(reason === undefined ? {} : { reason }) });
      }
      this.#ports.publish(this.#state);
      this.#heartbeats.match(this.#state.seats.filter((seat) => seat.phase !== 'vacant' && seat.phase !== 'starting'));
    }
    this.#act();
  }

  #act(): void {
    const nowMs = this.#ports.clock.now();
    for (const action of plan(this.#state, nowMs)) {
      if (action.type === 'start') this.#start(action.replica);
      else void this.#stop(action.replica, action.drains);
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

  #start(replica: ReplicaRef): void {
    const { incarnation } = replica;
    if (this.#starts.has(incarnation)) return;
    const abort = new AbortController();
    const done = this.#runStart(replica, abort.signal).finally(() => this.#starts.delete(incarnation));
    this.#starts.set(incarnation, { abort, done });
    this.#dispatch({ type: 'starting', incarnation });
  }

  async #runStart(replica: ReplicaRef, signal: AbortSignal): Promise<void> {
    const { runtime, clock } = this.#ports;
    const limitMs = this.#rules.startTimeoutMs;
    const late = () => new BalancerError('start-failed', `it was not up within ${limitMs} ms`);
    try {
      const address = await within(clock, limitMs, (working) => runtime.start(replica, working), late, signal);
      this.#dispatch({ type: 'started', replica, address });
    } catch (error) {
      const { incarnation } = replica;
      const reason = describe(error);
      if (localShortage(error) !== undefined) this.#dispatch({ type: 'start-impossible', incarnation, reason });
      else this.#dispatch({ type: 'start-failed', incarnation, reason, final: isFinal(asBalancerError(error)) });
    }
  }

  async #stop(replica: ReplicaRef, drains: boolean): Promise<void> {
    const { incarnation } = replica;
    if (this.#stops.has(incarnation)) return;
    this.#stops.add(incarnation);
    const { runtime, clock, drained } = this.#ports;
    const graceMs = drains ? this.#rules.graceMs : 0;
    try {
      const start = this.#starts.get(incarnation);
      start?.abort.abort(new Error('it is no longer wanted'));
      await start?.done;
      if (drains) {
        const late = () => new Error('the grace is over');
        await within(clock, graceMs, (working) => drained(replica, working), late).catch(() => undefined);
      }
      await runtime.stop(replica, graceMs);
      this.#stops.delete(incarnation);
      this.#dispatch({ type: 'stopped', incarnation });
    } catch (error) {
      this.#stops.delete(incarnation);
      this.#ports.log.error('stop-failed', { ...replica, reason: describe(error) });
      this.#dispatch({ type: 'stop-failed', incarnation });
    }
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

function notUp(seat: Seat): BalancerError {
  const code = seat.lapses.final ? 'name-taken' : 'start-failed';
  return new BalancerError(code, `${seat.replica.hostname} did not come up: ${seat.lapses.reason}`);
}
