// Rolling replacement: the replicas are replaced seat by seat, each ready before the next. It stops at the first that
// does not come up, may wait after a few (canaries) or when it is told to, and can be undone, also when it is done. No
// key moves, since the seats stay.

import type { FleetState, Seat } from '../core/fleet/fleet-state.ts';
import type { Clock, Make } from '../core/ports.ts';
import type { SeatId } from '../core/ring/ring.ts';
import { BalancerError, describe } from '../errors.ts';
import type { Log } from '../log.ts';
import { within } from './clock.ts';
import type { Supervisor } from './supervisor.ts';

/** `canary`, `held`: it waits to go on. `stopped`: a replica did not come up. */
export type RollPhase = 'none' | 'rolling' | 'canary' | 'held' | 'stopped' | 'done' | 'undone';

/** How far a roll has come. */
export interface RollProgress {
  readonly phase: RollPhase;
  /** Hostnames of the replicas that it has brought. */
  readonly replaced: readonly string[];
  /** Hostnames of those that are still as they were. */
  readonly left: readonly string[];
  /** Why it stopped. */
  readonly reason?: string;
}

export interface RollPorts {
  readonly supervisor: Pick<Supervisor, 'state' | 'change' | 'until'>;
  readonly clock: Clock;
  readonly log: Log;
  /** For a replica to come up, in ms. */
  readonly startTimeoutMs: number;
}

const AS_OPTIONS_SAY: Make = {};

export class Roll {
  readonly #ports: RollPorts;
  // What seats are made of, if not of what all are.
  readonly #bySeat = new Map<SeatId, Make>();
  #all: Make;
  #next = AS_OPTIONS_SAY;
  // What all were made of before the roll.
  #before = AS_OPTIONS_SAY;
  #isToHold = false;
  #phase: RollPhase = 'none';
  #reason: string | undefined;
  // Seats that the roll has gone through, in that order.
  #done: SeatId[] = [];

  /** @param made what replicas are made of, after rolls of the process before this one. */
  constructor(ports: RollPorts, made: Make = AS_OPTIONS_SAY) {
    this.#all = made;
    this.#ports = ports;
  }

  /** What the next replica in that seat is made of: one that is lost meanwhile comes back as it was. */
  readonly makeOf = (seat: SeatId): Make => this.#bySeat.get(seat) ?? this.#all;

  /** What all replicas are made of. */
  get made(): Make {
    return this.#all;
  }

  /** Some replicas are made otherwise than others, or are about to be. */
  get isHalfway(): boolean {
    return this.#phase === 'rolling' || this.#waits;
  }

  get #waits(): boolean {
    return this.#phase === 'canary' || this.#phase === 'held' || this.#phase === 'stopped';
  }

  get progress(): RollProgress {
    const { seats } = this.#ports.supervisor.state;
    const isDone = ({ replica }: Seat) => this.#done.includes(replica.seat);
    const names = (some: readonly Seat[]) => some.map(({ replica }) => replica.hostname);
    return {
      phase: this.#phase,
      replaced: names(seats.filter(isDone)),
      left: this.isHalfway ? names(seats.filter((seat) => !isDone(seat))) : [],
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
    };
  }

  /**
   * Replaces all replicas, or the first `canaries` of them, by such as are made so. Resolves when that is done. Rejects
   * with `start-failed` if one does not come up, and with `roll-refused` if another roll has not ended.
   */
  async begin(make: Make, canaries = Number.POSITIVE_INFINITY): Promise<RollProgress> {
    if (this.#waits) {
      throw new BalancerError('roll-refused', 'a roll has not ended: {"continue": true} or {"undo": true} ends it');
    }
    const { seats } = this.#ports.supervisor.state;
    if (seats.some(({ isGiven }) => isGiven)) {
      throw new BalancerError('roll-refused', 'somebody else runs the replicas: nothing here can replace them');
    }
    this.#next = make;
    this.#before = this.#all;
    this.#done = [];
    this.#ports.log.info('roll-begun', { seats: seats.length, ...shown(make) });
    return this.#go(canaries);
  }

  /** Goes on where it waits, or tries again where it stopped. As `begin`. */
  async goOn(): Promise<RollProgress> {
    if (!this.#waits) throw new BalancerError('roll-refused', 'no roll waits to go on');
    return this.#go(Number.POSITIVE_INFINITY);
  }

  /** Has the roll under way, or its undoing, wait after the seat that it is at. Throws `roll-refused` if none is. */
  hold(): RollProgress {
    if (this.#phase !== 'rolling') throw new BalancerError('roll-refused', 'no roll is under way');
    this.#isToHold = true;
    return this.progress;
  }

  /** Brings back what the replicas were made of before, the last first. As `begin`. */
  async undo(): Promise<RollProgress> {
    if (this.#phase === 'done') this.#reopen();
    else if (!this.#waits) throw new BalancerError('roll-refused', 'there is no roll to undo');
    this.#begin();
    for (let seat = this.#done.at(-1); seat !== undefined; seat = this.#done.at(-1)) {
      if (this.#isToHold) return this.#wait('held');
      const undone = seat;
      this.#bySeat.delete(undone);
      await this.#replace(undone, () => this.#bySeat.set(undone, this.#next));
      this.#done = this.#done.filter((one) => one !== undone);
    }
    this.#phase = 'undone';
    this.#ports.log.info('roll-undone');
    return this.progress;
  }

  /** Call it with each state of the fleet: whoever gets the seat of one that was removed is made as all are. */
  observe({ seats }: FleetState): void {
    if (this.#done.length === 0) return;
    const there = new Set(seats.map(({ replica }) => replica.seat));
    this.#done = this.#done.filter((seat) => there.has(seat));
    for (const seat of this.#bySeat.keys()) if (!there.has(seat)) this.#bySeat.delete(seat);
  }

  // As if the last seat had just been replaced. What joined since is made as the roll said, too.
  #reopen(): void {
    const seats = this.#ports.supervisor.state.seats.map(({ replica }) => replica.seat);
    this.#done = [...this.#done, ...seats.filter((seat) => !this.#done.includes(seat))];
    for (const seat of this.#done) this.#bySeat.set(seat, this.#next);
    this.#all = this.#before;
  }

  #begin(): void {
    this.#phase = 'rolling';
    this.#reason = undefined;
    this.#isToHold = false;
  }

  #wait(phase: 'canary' | 'held'): RollProgress {
    this.#phase = phase;
    this.#ports.log.info('roll-waits', { replaced: this.progress.replaced });
    return this.progress;
  }

  async #go(canaries: number): Promise<RollProgress> {
    const { supervisor, log } = this.#ports;
    this.#begin();
    for (;;) {
      const left = supervisor.state.seats.find(({ replica }) => !this.#done.includes(replica.seat));
      if (left === undefined) break;
      if (this.#done.length >= canaries) return this.#wait('canary');
      if (this.#isToHold) return this.#wait('held');
      const { seat } = left.replica;
      this.#bySeat.set(seat, this.#next);
      await this.#replace(seat, () => this.#bySeat.delete(seat));
      this.#done.push(seat);
    }
    this.#all = this.#next;
    this.#bySeat.clear();
    this.#phase = 'done';
    log.info('roll-done', { replaced: this.progress.replaced });
    return this.progress;
  }

  // What it was made of is `takeBack`'s to restore, before anything is started there again.
  async #replace(seat: SeatId, takeBack: () => void): Promise<void> {
    const { supervisor, clock, log, startTimeoutMs } = this.#ports;
    const late = () => new BalancerError('start-failed', `it did not come up within ${startTimeoutMs} ms`);
    const until = (holds: (state: FleetState) => boolean) =>
      within(clock, startTimeoutMs, (signal) => supervisor.until(holds, signal), late);
    let before: Seat | undefined;
    try {
      await until((state) => seatIn(state, seat).phase === 'serving');
      before = seatIn(supervisor.state, seat);
      const { incarnation } = before.replica;
      supervisor.change({ type: 'replace', incarnation });
      await until((state) => isReplaced(state, seat, incarnation));
      const { hostname } = seatIn(supervisor.state, seat).replica;
      log.info('roll-replaced', { hostname, seat, instead: before.replica.hostname });
    } catch (error) {
      if (supervisor.state.seats.some(({ replica }) => replica.seat === seat)) takeBack();
      if (before !== undefined) supervisor.change({ type: 'keep', incarnation: before.replica.incarnation });
      this.#phase = 'stopped';
      this.#reason = `the next replica in seat ${seat} did not come up: ${describe(error)}`;
      log.error('roll-stopped', { seat, reason: this.#reason, replaced: this.progress.replaced });
      const what = `${this.#reason}; ${this.#done.length} were replaced. {"continue": true} tries again, {"undo": true} takes it back`;
      throw new BalancerError('start-failed', what, { cause: error });
    }
  }
}

function seatIn({ seats }: FleetState, number: SeatId): Seat {
  const seat = seats.find(({ replica }) => replica.seat === number);
  if (seat === undefined) throw new BalancerError('start-failed', `seat ${number} was removed meanwhile`);
  return seat;
}

function isReplaced(state: FleetState, number: SeatId, incarnation: number): boolean {
  const { phase, replica, lapses } = seatIn(state, number);
  if (phase === 'serving') return replica.incarnation !== incarnation;
  // Its first failure is enough: another start would most likely fail as well.
  if (lapses.count > 0) throw new BalancerError('start-failed', lapses.reason);
  return false;
}

function shown({ command, image }: Make): Record<string, string> {
  return {
    ...(command === undefined ? {} : { command: command.join(' ') }),
    ...(image === undefined ? {} : { image }),
  };
}
