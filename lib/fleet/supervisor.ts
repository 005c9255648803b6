// Keeps the fleet as it is wanted. Every event goes through `observe`; then the state is published, the replicas that
// are up are probed, and whatever `plan` asks for is begun, unless it is already under way.

import { type FleetEvent, nextDueMs, observe, plan, type UntimedEvent } from '../core/fleet/fleet.ts';
import { emptyFleet, type FleetState, isAtRest, upSeats } from '../core/fleet/fleet-state.ts';
import type { Member, ReplicaRef, Wish } from '../core/ports.ts';
import { asBalancerError, BalancerError, describe } from '../errors.ts';
import { within } from './clock.ts';
import { FleetLog } from './fleet-log.ts';
import { Heartbeats } from './health/heartbeat.ts';
import { type Imagination, imagination } from './imagine.ts';
import { RuntimeWatch } from './runtime-watch.ts';
import type { SupervisorPorts, SupervisorRules } from './supervisor-ports.ts';
import { startLate, Underway } from './underway.ts';
import { FirstService, missing, untilFirstServe } from './waiting/first-service.ts';
import { allServe, type Joining, joinings } from './waiting/joining.ts';
import { Waiters } from './waiting/waiters.ts';

/** Changes of seats that somebody asks for, or that a list of members or a name server says. */
type SeatChange = Extract<UntimedEvent, { type: 'found' | 'weigh' | 'drain' | 'replace' | 'keep' | 'members' }>;

export class Supervisor {
  readonly imagine: Imagination;
  readonly #ports: SupervisorPorts;
  readonly #rules: SupervisorRules;
  #state: FleetState;
  readonly #backlog: FleetEvent[] = [];
  #dispatching = false;
  readonly #underway: Underway;
  readonly #heartbeats: Heartbeats;
  readonly #log: FleetLog;
  readonly #waiters = new Waiters();
  readonly #first: FirstService;
  #alarm = new AbortController();
  #hasBegun = false;
  #closing = false;
  #startsNoMore = false;
  // Another process is about to have the fleet, or has it: nothing is begun here.
  #isHeld = false;
  readonly #closed = new AbortController();
  readonly #runtimeWatch: RuntimeWatch;

  constructor(ports: SupervisorPorts, rules: SupervisorRules, first: { nameSeed: number; lastIncarnation: number }) {
    this.#ports = ports;
    this.#rules = rules;
    this.imagine = imagination(() => this.#state, rules, ports.clock);
    this.#first = new FirstService(rules.mustServe);
    this.#log = new FleetLog(ports.log);
    this.#heartbeats = new Heartbeats(ports.probe, ports.clock, rules, ports.log, (incarnation, failure, kind) =>
      this.#dispatch({ type: 'probed', incarnation, failure, kind }),
    );
    this.#underway = new Underway(ports, rules, (event) => this.#dispatch(event));
    this.#state = emptyFleet(first.nameSeed, first.lastIncarnation);
    this.#runtimeWatch = new RuntimeWatch(
      ports,
      rules.inventoryIntervalMs,
      (event) => this.#dispatch(event),
      (incarnation) => this.#heartbeats.hurry(incarnation),
    );
  }

  get state(): FleetState {
    return this.#state;
  }

  /** The runtime has begun, so there may be something to end. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** All replicas are leaving, so the state no longer says which fleet was wanted. */
  get isClosing(): boolean {
    return this.#closing;
  }

  /** A request failed at that replica. It is probed at once and is the last choice until it answers. */
  suspect(incarnation: number): void {
    const before = this.#state;
    this.#dispatch({ type: 'suspected', incarnation });
    // Only the first failure causes a probe: with one for each, a moment of overload would convict at once.
    if (this.#state !== before) this.#heartbeats.hurry(incarnation);
  }

  /**
   * Begins the runtime, then the first replicas. Replicas that an earlier process left keep their seats. Of the wishes,
   * each with its own hostname, all given ones are added, and as many others as are still missing. Resolves when each
   * replica serves or has failed `joinAttempts` times, or after `beginTimeoutMs`. If an earlier process left replicas,
   * it is enough that one serves, since until then the service is down. Replicas that do not serve yet are still tried.
   * Throws errors that trying again cannot mend, and `start-failed` if none has served though one must.
   */
  async begin(wishes: readonly Wish[], members: readonly Member[] = []): Promise<void> {
    // Nobody would close what the runtime takes hold of from now on.
    if (this.#closing) return;
    await this.#ports.runtime.begin();
    if (this.#closing) return;
    this.#hasBegun = true;
    const present = await this.#ports.runtime.list();
    if (this.#closing) return;
    this.#dispatch({ type: 'adopt', present });
    // The watch begins only now: an inventory before the adoption would stop what an earlier process left.
    this.#runtimeWatch.begin();
    const there = this.#state.seats.map((seat) => seat.replica.hostname);
    this.#dispatch({ type: 'add', wishes: missing(wishes, there), slowly: false });
    if (members.length > 0) this.#dispatch({ type: 'members', members, slowly: false });
    // No event has changed the state of an empty fleet, so nothing has been published yet.
    if (this.#state.seats.length === 0) this.#publish(() => undefined);
    const whole = { clock: this.#ports.clock, waiters: this.#waiters, first: this.#first, rules: this.#rules };
    await untilFirstServe({ ...whole, state: () => this.#state }, there.length > 0);
    this.#first.check(this.#state, startLate(this.#ports.runtime, this.#rules.beginTimeoutMs).message);
  }

  /**
   * Begins with the fleet of another process as it is there. Nothing is started or stopped until `goOn`. Throws what
   * the runtime's `begin` throws.
   */
  async takeOver(state: FleetState): Promise<void> {
    this.#isHeld = true;
    await this.#ports.runtime.begin();
    if (this.#closing) return;
    this.#hasBegun = true;
    this.#state = state;
    this.#first.observe(state);
    this.#publish(() => undefined);
    this.#heartbeats.match(upSeats(state));
  }

  /** Resolves when no start and no stop is under way: none is begun then until `goOn`. Never if `signal` is aborted. */
  hold(signal: AbortSignal): Promise<void> {
    return this.#waiters.until(() => {
      this.#isHeld = isAtRest(this.#state);
      return this.#isHeld;
    }, signal);
  }

  /** The fleet is this process's, and stays so. */
  goOn(): void {
    this.#isHeld = false;
    this.#runtimeWatch.begin();
    this.#act();
  }

  /** The fleet is another process's: nothing is done about it here any more. To be called while it is held. */
  letGo(): void {
    this.#closing = true;
    this.startNoMore();
    this.#stopWatching();
  }

  /**
   * Adds a seat for each wish and resolves when all serve. If one does not come up, removes all of them and throws
   * `start-failed` or `name-taken`.
   */
  async add(wishes: readonly Wish[]): Promise<void> {
    const { runtime } = this.#ports;
    const startsAny = wishes.some(({ address }) => address === undefined);
    // Given replicas need no announcement, so their change begins at once.
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

  /**
   * Takes the seats of those replicas off the ring at once. Resolves when they have finished their requests and are
   * gone.
   */
  async remove(replicas: readonly ReplicaRef[]): Promise<void> {
    this.#dispatch({ type: 'remove', seats: replicas.map((replica) => replica.seat) });
    const staying = () => this.#state.leaving.find((one) => replicas.some((r) => r.seat === one.replica.seat));
    // Draining and ending may each take `graceMs`; the rest is for a slow runtime.
    const limitMs = 3 * this.#rules.graceMs + 5000;
    const late = () => {
      const hostname = staying()?.replica.hostname;
      return new BalancerError('stop-failed', `${hostname} is out of the ring but did not end in ${limitMs} ms`);
    };
    const gone = (signal: AbortSignal) => this.#waiters.until(() => staying() === undefined, signal);
    await within(this.#ports.clock, limitMs, gone, late);
  }

  /** Changes what seats that there are get, or which replica they have. */
  change(event: SeatChange): void {
    this.#dispatch(event);
  }

  /** Resolves when that holds of the fleet. Rejects with what `holds` throws; never if `signal` is aborted. */
  until(holds: (state: FleetState) => boolean, signal: AbortSignal): Promise<void> {
    return this.#waiters.until(() => holds(this.#state), signal);
  }

  /** From now on no start is waited for: whoever waits gets an error at once. All else goes on until `close`. */
  startNoMore(): void {
    this.#startsNoMore = true;
    this.#waiters.check();
  }

  /** Ends every replica, then the runtime. Also resolves if some could not be ended; the log says which. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#isHeld = false;
    this.startNoMore();
    try {
      await this.remove(this.#state.seats.map((seat) => seat.replica));
    } catch (error) {
      this.#ports.log.error('replicas-left', { reason: describe(error) });
    }
    this.#stopWatching();
    await this.#ports.runtime.close();
  }

  #stopWatching(): void {
    this.#closed.abort();
    this.#alarm.abort();
    this.#runtimeWatch.end();
    this.#heartbeats.match([]);
  }

  #checkStarts(): void {
    if (this.#startsNoMore) throw new BalancerError('closing', 'the balancer is shutting down');
  }

  #dispatch(untimed: UntimedEvent): void {
    this.#backlog.push({ ...untimed, atMs: this.#ports.clock.now() } as FleetEvent);
    // An action begun in #apply may report at once. Its event waits in the backlog until this one has been applied.
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
      this.#first.observe(this.#state);
      this.#publish(this.#log.tell(before, this.#state, event.atMs));
      this.#heartbeats.match(upSeats(this.#state));
    } else if (event.type === 'probed') {
      // Nearly all probes: what is to be done has not changed, and of a thousand replicas there are many.
      return;
    }
    this.#act();
  }

  // A plan that is refused is told by the publisher.
  #publish(onEnd: () => void): void {
    this.#ports.publish(this.#state).then(onEnd, onEnd);
  }

  #act(): void {
    if (this.#isHeld) return;
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
