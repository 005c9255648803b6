// One random history of a fleet: the real Supervisor on a simulated machine and clock, while replicas hang and die,
// changes are asked for, and the balancer is killed and started again. Time is a number and the randomness comes from a
// seed, so a history can be played again.

import assert from 'node:assert/strict';
import { allReplicas, emptyFleet, type FleetState, predecessorOf } from '../../lib/core/fleet/fleet-state.ts';
import type { Clock, ReplicaRuntime, Wish } from '../../lib/core/ports.ts';
import type { SeatId } from '../../lib/core/ring/ring.ts';
import { asBalancerError } from '../../lib/errors.ts';
import { Supervisor } from '../../lib/fleet/supervisor.ts';
import type { SupervisorRules } from '../../lib/fleet/supervisor-ports.ts';
import { createLog } from '../../lib/log.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';
import { type Random, random } from '../fixtures/random.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';
import { type AskedChange, addition, beginning, type Change, checkAnswers, noteDone, removal } from './changes.ts';
import { checkLateEvents, checkProbes, checkStarts, checkStep } from './invariants.ts';
import { incarnationAt, Machine } from './machine.ts';

const RULES: SupervisorRules = {
  ...FLEET_RULES,
  backoffCapMs: 30_000,
  stableMs: 10_000,
  intervalMs: 500,
  timeoutMs: 400,
  graceMs: 1000,
  inventoryIntervalMs: 5000,
  joinAttempts: 3,
  mustServe: false,
  beginTimeoutMs: 5000,
};

/** Until then things go wrong. After that nothing does, and the fleet has `SETTLE_MS` to become whole. */
const FAULTS_END_MS = 60_000;
const SETTLE_MS = 60_000;
const CLOSE_MS = 10_000;
const STEP_MS = 1000;
const MOST_SEATS = 12;
const SILENT = createLog(
  'off',
  () => undefined,
  () => new Date(0),
);

export class World {
  readonly #random: Random;
  readonly #clock = new VirtualClock();
  readonly #machine: Machine;
  readonly #firstWishes: readonly Wish[];
  /** How many balancer processes the history has had, one after the other. */
  #processes = 0;
  #supervisor: Supervisor | undefined;
  /** `undefined` until the process publishes something; changes are only asked for after that. */
  #state: FleetState | undefined;
  readonly #changes = new Set<Change>();
  readonly #probedMs = new Map<number, number>();
  #failure: Error | undefined;
  /** What was done, and what came of it. */
  readonly history: string[] = [];

  constructor(seed: number) {
    this.#random = random(seed);
    this.#machine = new Machine(this.#clock, this.#random);
    this.#firstWishes = Array.from({ length: this.#random.below(6) }, (_, index) => wish(`server${index + 1}`));
  }

  /** Plays the history, and checks the invariants in every state and at the end. Rejects with an AssertionError. */
  async play(): Promise<void> {
    this.#beginProcess();
    for (let faults = 5 + this.#random.below(40); faults > 0; faults--) {
      void this.#clock.sleep(this.#random.below(FAULTS_END_MS)).then(() => this.#guard(() => this.#fault()));
    }
    await this.#pass(FAULTS_END_MS);
    this.#machine.isFaulty = false;
    this.#undrain();
    await this.#pass(SETTLE_MS);
    this.#checkEnd();
    this.#remove(this.#seats(), (supervisor) => supervisor.close());
    await this.#pass(CLOSE_MS);
    assert.deepEqual(this.#machine.present, [], 'replicas are left after the end');
  }

  async #pass(ms: number): Promise<void> {
    const endMs = this.#clock.now() + ms;
    while (this.#clock.now() < endMs) {
      await this.#clock.advance(STEP_MS);
      this.#guard(() => {
        checkAnswers(this.#changes, this.#clock.now());
        if (this.#state === undefined) return;
        checkStarts(this.#state, this.#clock.now(), RULES);
        checkProbes(this.#state, this.#probedMs, this.#clock.now(), RULES.intervalMs + RULES.timeoutMs + 100);
      });
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  #note(what: string): void {
    this.history.push(`${this.#clock.now()} ms: ${what}`);
  }

  // Callbacks may not throw, so the first failure is kept until it can be reported.
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failure ??= error as Error;
    }
  }

  // The only place that knows how a Supervisor is made and begun.
  #beginProcess(): void {
    const process = ++this.#processes;
    const hears = this.#hearing(process);
    const machine = this.#machine;
    const clock: Clock = {
      now: () => this.#clock.now(),
      sleep: (ms, signal) => hears(this.#clock.sleep(ms, signal)),
      every: (ms, call) => this.#clock.every(ms, call),
    };
    let isFirstList = true;
    const runtime: ReplicaRuntime = {
      begin: async () => undefined,
      start: (replica) => hears(machine.start(replica)),
      stop: (replica) => hears(machine.stop(replica)),
      list: () => {
        // A process that cannot even list its replicas does not begin.
        const list = isFirstList ? machine.list() : machine.listOrFail();
        isFirstList = false;
        return hears(list);
      },
      watch: (listener) => {
        machine.listener = listener;
        return () => undefined;
      },
      close: async () => undefined,
    };
    machine.forget();
    this.#state = undefined;
    this.#changes.clear();
    this.#supervisor = new Supervisor(
      {
        ...{ runtime, clock, log: SILENT },
        probe: (address) => {
          this.#guard(() => this.#noteProbe(incarnationAt(address)));
          return hears(machine.probe(address));
        },
        publish: async (state) => this.#guard(() => this.#published(state)),
        drained: () => hears(this.#clock.sleep(this.#random.below(2 * RULES.graceMs))),
      },
      RULES,
      { nameSeed: this.#random.below(2 ** 31), lastIncarnation: process * 1000 },
    );
    this.#ask(beginning(), (supervisor) => supervisor.begin(this.#firstWishes));
  }

  // Calls go on in the machine, but only the process that made them gets their results.
  #hearing(process: number): <T>(answer: Promise<T>) => Promise<T> {
    return (answer) =>
      new Promise((resolve, reject) => {
        answer.then(
          (value) => this.#processes === process && resolve(value),
          (error) => {
            if (error instanceof assert.AssertionError) this.#failure ??= error;
            if (this.#processes === process) reject(error);
          },
        );
      });
  }

  #noteProbe(incarnation: number): void {
    const { seats } = this.#state ?? emptyFleet(0);
    const isThere = seats.some((seat) =>
      [seat, predecessorOf(seat)].some((one) => one?.replica.incarnation === incarnation),
    );
    assert(isThere, `${incarnation} is probed, and nobody wants it`);
    this.#probedMs.set(incarnation, this.#clock.now());
  }

  #published(state: FleetState): void {
    const seats = state.seats.map(({ phase, replica }) => `${replica.seat}=${phase} ${replica.incarnation}`);
    const leaving = state.leaving.map(({ replica }) => replica.incarnation);
    this.#note(`${seats.join(', ')}; leaving: ${leaving.join(', ')}`);
    const before = this.#state ?? emptyFleet(0);
    const nowMs = this.#clock.now();
    checkStep(before, state, this.#changes, RULES);
    const there = allReplicas(state).map(({ incarnation }) => incarnation);
    const gone = allReplicas(before).find(({ incarnation }) => !there.includes(incarnation));
    if (gone !== undefined) checkLateEvents(state, gone, nowMs, RULES);
    this.#state = state;
    noteDone(this.#changes, state, nowMs);
  }

  #ask(asked: AskedChange, ask: (supervisor: Supervisor) => Promise<void>): void {
    const change: Change = { ...asked, doneAtMs: undefined };
    this.#changes.add(change);
    const answered = (how: string) => {
      if (!this.#changes.delete(change)) return;
      this.#note(how);
      this.#guard(() => checkAnswers([change], this.#clock.now()));
    };
    ask(this.#supervisor as Supervisor).then(
      () => answered('done'),
      (error) => answered(asBalancerError(error).message),
    );
  }

  #fault(): void {
    const kind = this.#random.below(11);
    this.#note(`fault ${kind}`);
    if (kind === 0) this.#machine.hangOne();
    else if (kind <= 2) this.#machine.killOne();
    else if (kind === 3) this.#grow();
    else if (kind === 4) this.#shrink();
    else if (kind === 5) this.#machine.tellAgain();
    else if (kind === 6) this.#beginAnew();
    else if (kind === 7) this.#machine.slowDown();
    else if (kind === 8) this.#drain();
    else if (kind === 9) this.#replace();
    else this.#suspect();
  }

  #drain(): void {
    for (const { replica } of this.#state?.seats ?? []) {
      const { incarnation } = replica;
      if (this.#random.chance(0.6)) continue;
      this.#supervisor?.change({ type: 'drain', incarnation, isDrained: this.#random.chance(0.7) });
    }
  }

  #replace(): void {
    for (const { replica } of this.#state?.seats ?? []) {
      if (!this.#random.chance(0.3)) continue;
      const { incarnation } = replica;
      this.#supervisor?.change({ type: 'replace', incarnation });
      const keep = () => this.#supervisor?.change({ type: 'keep', incarnation });
      if (this.#random.chance(0.5)) void this.#clock.sleep(this.#random.below(8000)).then(keep);
    }
  }

  #undrain(): void {
    for (const { replica } of this.#state?.seats ?? []) {
      this.#supervisor?.change({ type: 'drain', incarnation: replica.incarnation, isDrained: false });
    }
  }

  #seats(): SeatId[] {
    return (this.#state?.seats ?? []).map(({ replica }) => replica.seat);
  }

  #grow(): void {
    const wishes = this.#random.chance(0.5)
      ? [wish(undefined)]
      : [wish(`S${this.#random.below(1000)}`, 1 + this.#random.below(3)), wish(undefined)];
    if (this.#state === undefined || this.#seats().length >= MOST_SEATS) return;
    this.#ask(addition(this.#seats(), wishes.length), (supervisor) => supervisor.add(wishes));
  }

  #shrink(): void {
    const seats = this.#seats().filter(() => this.#random.chance(0.4));
    const replicas = (this.#state?.seats ?? [])
      .map(({ replica }) => replica)
      .filter(({ seat }) => seats.includes(seat));
    this.#remove(seats, (supervisor) => supervisor.remove(replicas));
  }

  #remove(seats: readonly SeatId[], remove: (supervisor: Supervisor) => Promise<void>): void {
    this.#ask(removal(seats), remove);
  }

  // Kills the process and starts another. All that it knew is gone, but what runs goes on.
  #beginAnew(): void {
    this.#note('the balancer begins anew');
    this.#beginProcess();
  }

  #suspect(): void {
    const seats = this.#state?.seats ?? [];
    const seat = seats[this.#random.below(seats.length)];
    if (seat !== undefined) this.#supervisor?.suspect(seat.replica.incarnation);
  }

  #checkEnd(): void {
    const { seats, leaving } = this.#state ?? emptyFleet(0);
    assert.deepEqual(
      seats.filter((seat) => seat.phase !== 'serving'),
      [],
      'the fleet is not whole',
    );
    assert.deepEqual(leaving, [], 'replicas are still leaving');
    const wanted = seats.map(({ replica }) => replica.incarnation).sort();
    const there = this.#machine.present.map(({ replica }) => replica.incarnation).sort();
    assert.deepEqual(there, wanted, 'what is there is not what is wanted');
    assert(this.#machine.isWell, 'one that is wanted hangs');
    assert.equal(this.#changes.size, 0, 'a change was never answered');
  }
}

function wish(hostname: string | undefined, weight = 1): Wish {
  return { hostname, weight };
}
