// Keeps the fleet as it is wanted: every event goes through `observe`, then the state is published, probe loops are matched
// to the replicas that are up, and what `plan` asks for and is not yet under way is begun. It may run twice without harm.

import { type FleetEvent, nextDueMs, observe, plan } from '../core/fleet/fleet.ts';
import { fleetNews } from '../core/fleet/fleet-news.ts';
import { emptyFleet, type FleetState, predecessors, type Seat } from '../core/fleet/fleet-state.ts';
import { isSettled } from '../core/fleet/outage.ts';
import { sameHostname } from '../core/fleet/replica-name.ts';
import type { FleetRules } from '../core/fleet/seats.ts';
import type { Probe, ReplicaRef, Wish } from '../core/ports.ts';
import { asBalancerError, BalancerError, describe, isFinal } from '../errors.ts';
import { within } from './clock.ts';
import { type HeartbeatPace, Heartbeats } from './heartbeat.ts';
import { allServe, type Joining, joinings, notUp } from './joining.ts';
import { RuntimeWatch } from './runtime-watch.ts';
import { type News, Underway, type UnderwayLimits, type UnderwayPorts } from './underway.ts';
import { Waiters } from './waiters.ts';

export interface SupervisorRules extends FleetRules, HeartbeatPace, UnderwayLimits {
  readonly inventoryIntervalMs: number;
  /**
   * How long `begin` waits for the first replicas that are started, in ms. Given ones are waited for two heartbeats.
   */
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
  #hasBegun = false;
  #closing = false;
  #startsNoMore = false;
  readonly #closed = new AbortController();
  readonly #runtimeWatch: RuntimeWatch;

  constructor(ports: SupervisorPorts, rules: SupervisorRules, first: { nameSeed: number; lastIncarnation: number }) {
    this.#ports = ports;
    this.#rules = rules;
    this.#heartbeats = new Heartbeats(ports.probe, ports.clock, rules, ports.log, (incarnation, failure, kind) =>
      this.#dispatch({ type: 'probed', incarnation, failure, kind }),
    );
    this.#underway = new Underway(ports, rules, (news) => this.#dispatch(news));
    this.#state = emptyFleet(first.nameSeed, first.lastIncarnation);
    this.#runtimeWatch = new RuntimeWatch(
      ports,
      rules.inventoryIntervalMs,
      (news) => this.#dispatch(news),
      (incarnation) => this.#heartbeats.hurry(incarnation),
    );
  }

  get state(): FleetState {
    return this.#state;
  }

  /** Its runtime has begun: there may be something to end. */
  get hasBegun(): boolean {
    return this.#hasBegun;
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
   * Begins the runtime, then the first replicas. Those that an earlier process left go on in their seats. Of the
   * wishes, each with a hostname of its own, all that are given are added, and of the others as many as are missing.
   * Resolves when each serves or has failed `joinAttempts` times, at the latest after `beginTimeoutMs`; or, where some
   * were left, when any serves: it is an outage that lasts until then. Those that do not serve go on trying. Throws
   * what can't be mended by trying.
   */
  async begin(wishes: readonly Wish[]): Promise<void> {
    // Nobody would end what is begun after the end.
    if (this.#closing) return;
    await this.#ports.runtime.begin();
    if (this.#closing) return;
    this.#hasBegun = true;
    const present = await this.#ports.runtime.list();
    if (this.#closing) return;
    this.#dispatch({ type: 'adopt', present });
    // Not before: to an inventory, what an earlier process left would be nobody's, and stopped.
    this.#runtimeWatch.begin();
    const there = this.#state.seats.map((seat) => seat.replica.hostname);
    const free = wishes.filter(({ hostname = '' }) => !there.some((other) => sameHostname(other, hostname)));
    // Those that an earlier process left stand in for as many that would be started, whatever their names.
    const own = wishes.filter(({ address }) => address === undefined).length - there.length;
    let missing = Math.max(0, own);
    const added = free.filter(({ address }) => address !== undefined || missing-- > 0);
    this.#dispatch({ type: 'add', wishes: added, slowly: false });
    // Else nobody would be told of a fleet that is empty from the start.
    if (this.#state.seats.length === 0) this.#ports.publish(this.#state);
    const settled = (counts: (seat: Seat) => boolean) => () =>
      this.#state.seats.filter(counts).every((seat) => {
        if (seat.lapses.final) throw notUp(seat);
        return isSettled(seat, this.#rules.joinAttempts);
      });
    // Each that is well has answered by then, and has its keys from the first request on.
    const quickMs = 2 * this.#rules.timeoutMs;
    if (there.length === 0) {
      const [given, started] = [settled(({ isGiven }) => isGiven), settled(({ isGiven }) => !isGiven)];
      await Promise.all([this.#waitAtMost(quickMs, given), this.#waitAtMost(this.#rules.beginTimeoutMs, started)]);
    } else {
      await this.#waitAtMost(
        quickMs,
        settled(() => true),
      );
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
    const startsAny = wishes.some(({ address }) => address === undefined);
    // Not where nothing is to be kept: a change then begins at once.
    const finished = startsAny
      ? await runtime.announce?.(this.#state.seats.map((seat) => seat.replica.seat))
      : undefined;
    try {
      await this.#add(wishes);
    } finally {
      await finished?.();
    }
  }

  async #add(wishes: readonly Wish[]): Promise<void> {
    this.#checkStarts();
    const before = this.#state.seats;
    this.#dispatch({ type: 'add', wishes, slowly: true });
    const taken = new Set(before.map((seat) => seat.replica.seat));
    const joined = this.#state.seats.filter((seat) => !taken.has(seat.replica.seat));
    const over = new AbortController();
    try {
      await Promise.all(joinings(this.#state, joined, this.#rules).map((group) => this.#joined(group, over.signal)));
    } catch (error) {
      await this.remove(joined.map((seat) => seat.replica)).catch(() => undefined);
      const { code, message } = asBalancerError(error);
      throw new BalancerError(code, `${message}; nothing was added`, { cause: error });
    } finally {
      over.abort();
    }
  }

  #joined(group: Joining, signal: AbortSignal): Promise<void> {
    const serve = () => {
      this.#checkStarts();
      return allServe(this.#state, group, this.#rules.joinAttempts);
    };
    const until = (working: AbortSignal) => this.#waiters.until(serve, working);
    return within(this.#ports.clock, group.limitMs, until, () => group.late(this.#state), signal);
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
    this.#runtimeWatch.end();
    this.#heartbeats.match([]);
    await this.#ports.runtime.close();
  }

  #checkStarts(): void {
    if (this.#startsNoMore) throw new BalancerError('closing', 'the balancer is shutting down');
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
      else void this.#underway[action.type](action.replica, action.drains);
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
}

// Those that are up, and those that are routed to until another serves in their place.
function probed(state: FleetState) {
  const up = state.seats.filter((seat) => seat.phase !== 'vacant' && seat.phase !== 'starting');
  return [...up, ...predecessors(state)];
}
