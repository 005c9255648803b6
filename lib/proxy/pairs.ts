// The hash pair of the plan in force. Loading one takes time, so the last one is kept.

import type { HashPair } from '../core/ring/hashes/hash-pair.ts';
import type { RoutingPlan } from '../core/routing-plan.ts';

export type LoadPair = (plan: Pick<RoutingPlan, 'hash' | 'slots' | 'virtualNodes'>) => Promise<HashPair>;

interface Loaded {
  readonly name: string;
  pair: HashPair | Promise<HashPair>;
}

export class Pairs {
  readonly #load: LoadPair;
  readonly #onOther: () => void;
  #last: Loaded | undefined;

  /** @param onOther called when another pair is asked for than before. */
  constructor(load: LoadPair, onOther: () => void) {
    this.#load = load;
    this.#onOther = onOther;
  }

  /** The pair of a plan. A promise while it is loading. */
  of(plan: RoutingPlan): HashPair | Promise<HashPair> {
    const name = JSON.stringify([plan.hash, plan.slots, plan.virtualNodes]);
    if (this.#last?.name === name) return this.#last.pair;
    const loading = this.#load(plan);
    const loaded: Loaded = { name, pair: loading };
    this.#last = loaded;
    this.#onOther();
    // A pair that could not be loaded is tried again with the next plan.
    loading.then(
      (pair) => {
        loaded.pair = pair;
      },
      () => {
        if (this.#last === loaded) this.#last = undefined;
      },
    );
    return loading;
  }
}
