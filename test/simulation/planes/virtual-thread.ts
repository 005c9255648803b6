// A worker of the data plane on the virtual clock: the real code of a worker, whose messages take their time, and which
// may end at any moment. Of one that has ended nothing is heard any more, whatever its code still does.

import { EventEmitter } from 'node:events';
import type { Clock } from '../../../lib/core/ports.ts';
import type { LoadPair } from '../../../lib/proxy/pairs.ts';
import type { FromWorker, ToWorker, WorkerTerms } from '../../../lib/proxy/workers/messages.ts';
import { serve } from '../../../lib/proxy/workers/serve.ts';
import type { Random } from '../../fixtures/random.ts';
import type { VirtualClock } from '../../fixtures/virtual-clock.ts';
import { ThreadNetwork, type VirtualNetwork } from '../network/virtual-network.ts';

export interface ThreadWorld {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly network: VirtualNetwork;
  readonly loadPair: LoadPair;
  /** Called when a message has come to a worker, before it reads it. */
  readonly onMessage: (thread: number, message: ToWorker) => void;
}

const LONGEST_BEGIN_MS = 50;
const LONGEST_WAY_MS = 3;

export class VirtualThread extends EventEmitter {
  isAlive = true;
  readonly #world: ThreadWorld;
  readonly #network: ThreadNetwork;
  readonly #inside = new EventEmitter();
  readonly #stops = new Set<() => void>();
  // When the last message comes, in each direction.
  #toMs = 0;
  #fromMs = 0;

  /** @param id that no other thread of the history has. */
  constructor(id: number, terms: WorkerTerms, world: ThreadWorld) {
    super();
    this.#world = world;
    this.#network = new ThreadNetwork(world.network, id);
    this.#toMs = world.clock.now() + 1 + world.random.below(LONGEST_BEGIN_MS);
    world.clock.after(this.#toMs - world.clock.now(), () => this.isAlive && this.#begin(terms));
    this.#inside.on('message', (message: ToWorker) => world.onMessage(id, message));
  }

  postMessage(message: ToWorker): void {
    const clone: ToWorker = structuredClone(message);
    this.#toMs = this.#pass(this.#toMs, () => this.#inside.emit('message', clone));
  }

  async terminate(): Promise<number> {
    this.end();
    return 0;
  }

  /** It ends at this moment, whatever it is doing. */
  end(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    this.#network.kill();
    for (const stop of this.#stops) stop();
    this.#world.clock.after(this.#world.random.below(LONGEST_WAY_MS), () => this.emit('exit', 1));
  }

  #begin(terms: WorkerTerms): void {
    const tell = (message: FromWorker) => {
      if (!this.isAlive) return;
      const clone: FromWorker = structuredClone(message);
      this.#fromMs = this.#pass(this.#fromMs, () => this.emit('message', clone));
    };
    const port = Object.assign(this.#inside, { postMessage: tell });
    const { loadPair } = this.#world;
    serve(terms, {
      ...{ loadPair, clock: this.#clock(), network: this.#network },
      port: port as unknown as Parameters<typeof serve>[1]['port'],
      untilFreed: ({ cells, cell, value }) =>
        this.#whileAlive(Promise.resolve(Atomics.waitAsync(cells, cell, value).value)),
    });
  }

  #clock(): Clock {
    const { clock } = this.#world;
    return {
      now: () => clock.now(),
      sleep: (ms, signal) => this.#whileAlive(clock.sleep(ms, signal)),
      every: (ms, call) => {
        const stop = clock.every(ms, () => this.isAlive && call());
        this.#stops.add(stop);
        return () => {
          this.#stops.delete(stop);
          stop();
        };
      },
    };
  }

  #whileAlive<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => this.isAlive && resolve(value),
        (error) => this.isAlive && reject(error),
      );
    });
  }

  // What is said first is heard first.
  #pass(lastMs: number, call: () => void): number {
    const { clock, random } = this.#world;
    const atMs = Math.max(lastMs, clock.now() + random.next() * LONGEST_WAY_MS);
    clock.after(atMs - clock.now(), () => this.isAlive && call());
    return atMs;
  }
}
