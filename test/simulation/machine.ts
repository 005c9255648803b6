// The machine on which the replicas of a history run: they come up, hang, die or stay behind. While it is faulty,
// starts and stops fail, replicas may come up after a failed start, and news is late or lost. It outlives the processes
// that use it.

import assert from 'node:assert/strict';
import type { Address, Clock, PresentReplica, ReplicaRef, RuntimeNews } from '../../lib/core/ports.ts';
import type { Random } from '../fixtures/random.ts';

export type Life = 'up' | 'hung' | 'ended';

interface Running {
  readonly replica: ReplicaRef;
  readonly life: Life;
}

const LONGEST_START_MS = 2000;
const LONGEST_FAILED_START_MS = 10_000;
const LONGEST_COMING_UP_LATE_MS = 15_000;
const LONGEST_STOP_MS = 1000;
const LONGEST_LIST_MS = 2000;
const LONGEST_NEWS_MS = 3000;
const LONGEST_SLOWNESS_MS = 8000;

export class Machine {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #pace: number;
  readonly #there = new Map<number, Running>();
  readonly #begun = new Set<number>();
  #stopping = new Set<number>();
  readonly #told: RuntimeNews[] = [];
  /** The function that gets the news at present. */
  listener: (news: RuntimeNews) => void = () => undefined;
  /** Called when the life of a replica has changed. */
  onLife: (incarnation: number) => void = () => undefined;
  isFaulty = true;

  /** @param pace how long all that takes time takes, as a part of the longest times. */
  constructor(clock: Clock, random: Random, pace = 1) {
    this.#clock = clock;
    this.#random = random;
    this.#pace = pace;
  }

  get present(): PresentReplica[] {
    return [...this.#there.values()].map(({ replica, life }) => ({
      replica,
      address: life === 'ended' ? undefined : addressOf(replica),
    }));
  }

  /** `undefined` for one that is not there. */
  lifeOf(incarnation: number): Life | undefined {
    return this.#there.get(incarnation)?.life;
  }

  get isWell(): boolean {
    return [...this.#there.values()].every(({ life }) => life === 'up');
  }

  /** The process that listened until now is gone. */
  forget(): void {
    this.listener = () => undefined;
    this.#stopping = new Set();
  }

  async start(replica: ReplicaRef): Promise<Address> {
    const { incarnation } = replica;
    assert(!this.#begun.has(incarnation), `${incarnation} is started twice`);
    this.#begun.add(incarnation);
    const comesUp = () => this.#live(replica, 'up');
    if (this.#fails()) {
      // Reports a failure, or nothing until the time is up, but has made the replica or makes it later.
      if (this.#random.chance(0.5)) void this.#pass(LONGEST_COMING_UP_LATE_MS).then(comesUp);
      await this.#pass(LONGEST_FAILED_START_MS);
      throw new Error('no reply');
    }
    // The replica comes up even if the start is given up meanwhile.
    await this.#pass(LONGEST_START_MS);
    comesUp();
    return addressOf(replica);
  }

  async stop(replica: ReplicaRef): Promise<void> {
    const { incarnation } = replica;
    const stopping = this.#stopping;
    assert(!stopping.has(incarnation), `${incarnation} is stopped while it is being stopped`);
    stopping.add(incarnation);
    await this.#pass(LONGEST_STOP_MS);
    stopping.delete(incarnation);
    if (this.#fails()) throw new Error('no reply');
    this.#live(replica, undefined);
  }

  /** The list is old by the time it arrives. */
  async list(): Promise<PresentReplica[]> {
    const present = this.present;
    await this.#pass(LONGEST_LIST_MS);
    return present;
  }

  /** A list as above, or an error. */
  async listOrFail(): Promise<PresentReplica[]> {
    if (this.#fails()) throw new Error('no reply');
    return this.list();
  }

  async probe(address: Address): Promise<void> {
    const life = this.#there.get(incarnationAt(address))?.life;
    if (life === 'hung') await new Promise(() => undefined);
    if (life !== 'up') throw new Error(`no heartbeat: it is ${life ?? 'gone'}`);
  }

  hangOne(): void {
    const victim = this.#any();
    if (victim !== undefined) this.#live(victim.replica, 'hung');
  }

  killOne(): void {
    const victim = this.#any();
    if (victim === undefined) return;
    // A container that has ended still exists; a process does not.
    this.#live(victim.replica, this.#random.chance(0.5) ? 'ended' : undefined);
    if (this.#random.chance(0.3)) return;
    const news: RuntimeNews = { type: 'exited', replica: victim.replica, reason: 'killed' };
    void this.#pass(LONGEST_NEWS_MS).then(() => this.#tell(news));
  }

  /** All replicas hang at once and come back one after the other, unless they were ended for it. */
  slowDown(): void {
    for (const one of this.#there.values()) {
      if (one.life !== 'up') continue;
      this.#live(one.replica, 'hung');
      void this.#pass(LONGEST_SLOWNESS_MS).then(() => {
        if (this.lifeOf(one.replica.incarnation) === 'hung') this.#live(one.replica, 'up');
      });
    }
  }

  /** Repeats news that it has told before, or was out of reach and only says that it is back. */
  tellAgain(): void {
    const old = this.#told[this.#random.below(this.#told.length)];
    if (old !== undefined && this.#random.chance(0.7)) this.#tell(old);
    else this.#tell({ type: 'restored' });
  }

  #live(replica: ReplicaRef, life: Life | undefined): void {
    if (life === undefined) this.#there.delete(replica.incarnation);
    else this.#there.set(replica.incarnation, { replica, life });
    this.onLife(replica.incarnation);
  }

  #tell(news: RuntimeNews): void {
    this.#told.push(news);
    this.listener(news);
  }

  #any(): Running | undefined {
    return [...this.#there.values()][this.#random.below(this.#there.size)];
  }

  #fails(): boolean {
    return this.isFaulty && this.#random.chance(0.2);
  }

  #pass(longestMs: number): Promise<void> {
    return this.#clock.sleep(1 + this.#random.below(longestMs * this.#pace));
  }
}

function addressOf(replica: ReplicaRef): Address {
  return { type: 'unix', path: `/${replica.incarnation}.sock` };
}

/** The incarnation of the replica that listens there. */
export function incarnationAt(address: Address): number {
  return address.type === 'unix' ? Number.parseInt(address.path.slice(1), 10) : Number.NaN;
}
