// A small world for the fleet's two pure functions: replicas that come up, hang, die or stay behind; news that is late, lost or
// told twice; inventories that are old when they arrive. Time is a number, chance a seed: a history can be played again.

import assert from 'node:assert/strict';
import { type FleetEvent, observe, plan } from '../../lib/core/fleet/fleet.ts';
import { emptyFleet, type FleetState, predecessors } from '../../lib/core/fleet/fleet-state.ts';
import type { FleetRules } from '../../lib/core/fleet/seats.ts';
import type { Address, PresentReplica, ReplicaRef, Wish } from '../../lib/core/ports.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';
import type { Random } from '../fixtures/random.ts';
import { checkStep } from './invariants.ts';

export const rules: FleetRules = { ...FLEET_RULES, backoffCapMs: 30_000, stableMs: 10_000 };

/** Until then things go wrong; then nothing does any more, and the fleet has `SETTLE_MS` to be whole. */
const FAULTS_END_MS = 60_000;
const SETTLE_MS = 60_000;
const PROBE_MS = 500;
const INVENTORY_MS = 5000;

type Life = 'up' | 'hung' | 'ended';
type News = FleetEvent extends infer Event ? (Event extends FleetEvent ? Omit<Event, 'atMs'> : never) : never;

export class World {
  readonly #random: Random;
  readonly #there = new Map<number, { replica: ReplicaRef; life: Life }>();
  readonly #running = new Set<string>();
  readonly #told: News[] = [];
  #queue: { atMs: number; happen: () => void }[] = [];
  #nowMs = 0;
  /** Of how many processes, one after the other, this is the history. */
  #process = 0;
  #state: FleetState;
  /** What was done, for the message of a failure. */
  readonly history: string[] = [];

  constructor(random: Random) {
    this.#random = random;
    this.#state = emptyFleet(random.below(2 ** 31));
  }

  /** Plays one history and checks the invariants at every step and the end state. Throws AssertionError. */
  play(): void {
    this.#observe({
      type: 'add',
      wishes: Array.from({ length: this.#random.below(6) }, (_, i) => wish(`server${i + 1}`)),
      slowly: false,
    });
    this.#every(PROBE_MS, () => this.#probeAll());
    this.#every(INVENTORY_MS, () => this.#takeInventory());
    this.#every(1000, () => this.#act());
    for (let faults = 5 + this.#random.below(40); faults > 0; faults--) {
      this.#at(this.#random.below(FAULTS_END_MS), () => this.#fault());
    }
    while (this.#nowMs < FAULTS_END_MS + SETTLE_MS) {
      this.#queue.sort((a, b) => a.atMs - b.atMs);
      const next = this.#queue.shift();
      assert(next !== undefined);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.happen();
    }
    this.#checkEnd();
  }

  get #faulty(): boolean {
    return this.#nowMs < FAULTS_END_MS;
  }

  #at(atMs: number, happen: () => void): void {
    this.#queue.push({ atMs, happen });
  }

  #after(longestMs: number, happen: () => void): void {
    this.#at(this.#nowMs + 1 + this.#random.below(longestMs), happen);
  }

  #every(ms: number, happen: () => void): void {
    const again = () => {
      happen();
      this.#at(this.#nowMs + ms, again);
    };
    this.#at(this.#nowMs + ms, again);
  }

  #observe(news: News): void {
    const event = { ...news, atMs: this.#nowMs } as FleetEvent;
    this.history.push(JSON.stringify(event));
    this.#told.push(news);
    const before = this.#state;
    this.#state = observe(before, event, rules);
    checkStep(before, event, this.#state, rules);
    this.#act();
  }

  #act(): void {
    for (const action of plan(this.#state, this.#nowMs, rules)) {
      const key = `${action.type} ${action.replica.incarnation}`;
      if (this.#running.has(key)) continue;
      this.#running.add(key);
      if (action.type === 'start') this.#start(action.replica, key);
      else this.#stop(action.replica, key);
    }
  }

  #start(replica: ReplicaRef, key: string): void {
    const { incarnation } = replica;
    const tell = this.#teller();
    this.#observe({ type: 'starting', incarnation });
    assert(
      !plan(this.#state, this.#nowMs, rules).some(
        (one) => one.type === 'start' && one.replica.incarnation === incarnation,
      ),
      'plan asks for a start that is under way',
    );
    const failed = (reason: string) => tell(key, { type: 'start-failed', incarnation, reason, final: false });
    // A runtime may report a failure, or nothing until the time is up, and yet have made the replica, or make it later.
    const comesUp = () => this.#there.set(incarnation, { replica, life: 'up' });
    if (this.#faulty && this.#random.chance(0.2)) {
      if (this.#random.chance(0.5)) this.#after(15_000, comesUp);
      this.#after(rules.startTimeoutMs, () => failed('no reply'));
      return;
    }
    this.#after(2000, () => {
      comesUp();
      tell(key, { type: 'started', replica, address: addressOf(replica) });
    });
  }

  #stop(replica: ReplicaRef, key: string): void {
    const { incarnation } = replica;
    const tell = this.#teller();
    this.#after(1000, () => {
      if (this.#faulty && this.#random.chance(0.2)) {
        tell(key, { type: 'stop-failed', incarnation });
        return;
      }
      this.#there.delete(incarnation);
      tell(key, { type: 'stopped', incarnation });
    });
  }

  // What was begun goes on in the world, but only the process that began it hears how it ended.
  #teller(): (key: string | undefined, news: News) => void {
    const listener = this.#process;
    return (key, news) => {
      if (this.#process !== listener) return;
      if (key !== undefined) this.#running.delete(key);
      this.#observe(news);
    };
  }

  #probeAll(): void {
    const up = this.#state.seats.filter(({ phase }) => phase === 'started' || phase === 'serving');
    for (const { replica } of [...up, ...predecessors(this.#state)]) {
      const { incarnation } = replica;
      const life = this.#there.get(incarnation)?.life;
      this.#observe({ type: 'probed', incarnation, failure: life === 'up' ? undefined : `it is ${life ?? 'gone'}` });
    }
  }

  #takeInventory(): void {
    if (this.#faulty && this.#random.chance(0.2)) return;
    const askedAtMs = this.#nowMs;
    const present = this.#present();
    const tell = this.#teller();
    this.#after(2000, () => tell(undefined, { type: 'inventory', present, askedAtMs }));
  }

  #fault(): void {
    const present = [...this.#there.values()];
    const victim = present[this.#random.below(present.length)];
    const kind = this.#random.below(9);
    if (kind === 0 && victim !== undefined) victim.life = 'hung';
    else if (kind <= 2 && victim !== undefined) this.#kill(victim.replica);
    else if (kind === 3) this.#grow();
    else if (kind === 4) this.#shrink();
    else if (kind === 5 && this.#told.length > 0) this.#repeatOldNews();
    else if (kind === 6) this.#beginAnew();
    else if (kind === 7) this.#slowDown();
    else this.#suspect();
  }

  // All hang at once, and come back one after the other, unless they were ended for it.
  #slowDown(): void {
    for (const one of this.#there.values()) {
      if (one.life !== 'up') continue;
      one.life = 'hung';
      this.#after(8000, () => {
        if (one.life === 'hung') one.life = 'up';
      });
    }
  }

  // The process is killed and another begins: all that it knew is gone, what runs goes on.
  #beginAnew(): void {
    this.#running.clear();
    this.#process += 1;
    this.#told.length = 0;
    this.history.push('the balancer begins anew');
    this.#state = emptyFleet(this.#random.below(2 ** 31), this.#process * 1000);
    this.#observe({ type: 'adopt', present: this.#present() });
  }

  #seats(): number[] {
    return this.#state.seats.map((seat) => seat.replica.seat);
  }

  #present(): PresentReplica[] {
    return [...this.#there.values()].map(({ replica, life }) => ({
      replica,
      address: life === 'ended' ? undefined : addressOf(replica),
    }));
  }

  #kill(replica: ReplicaRef): void {
    const victim = this.#there.get(replica.incarnation);
    // A container that has ended still takes its place; a process does not.
    if (victim !== undefined && this.#random.chance(0.5)) victim.life = 'ended';
    else this.#there.delete(replica.incarnation);
    // The event may be lost, or come late.
    if (this.#random.chance(0.3)) return;
    const tell = this.#teller();
    this.#after(3000, () => tell(undefined, { type: 'exited', incarnation: replica.incarnation, reason: 'killed' }));
  }

  #grow(): void {
    const wishes = this.#random.chance(0.5)
      ? [wish(undefined)]
      : [wish(`S${this.#random.below(1000)}`, 1 + this.#random.below(3)), wish(undefined)];
    if (this.#seats().length < 12) this.#observe({ type: 'add', wishes, slowly: true });
  }

  #shrink(): void {
    const seats = this.#seats().filter(() => this.#random.chance(0.4));
    this.#observe({ type: 'remove', seats });
  }

  #repeatOldNews(): void {
    const old = this.#told[this.#random.below(this.#told.length)];
    // Wishes are not news: nobody repeats them by mistake.
    if (old !== undefined && old.type !== 'add' && old.type !== 'remove' && old.type !== 'adopt') this.#observe(old);
  }

  #suspect(): void {
    const seat = this.#state.seats[this.#random.below(this.#state.seats.length)];
    if (seat !== undefined) this.#observe({ type: 'suspected', incarnation: seat.replica.incarnation });
  }

  #checkEnd(): void {
    const { seats, leaving } = this.#state;
    assert.deepEqual(
      seats.filter((seat) => seat.phase !== 'serving'),
      [],
      'the fleet is not whole',
    );
    assert.deepEqual(leaving, [], 'replicas are still leaving');
    const wanted = seats.map((seat) => seat.replica.incarnation).sort();
    assert.deepEqual([...this.#there.keys()].sort(), wanted, 'what is there is not what is wanted');
    assert([...this.#there.values()].every((one) => one.life === 'up'));
  }
}

function addressOf(replica: ReplicaRef): Address {
  return { type: 'unix', path: `/${replica.incarnation}.sock` };
}

function wish(hostname: string | undefined, weight = 1): Wish {
  return { hostname, weight };
}
