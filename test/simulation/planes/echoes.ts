// What a client does in a tunnel: it sends something now and then, which must come back as it was sent, and ends.

import type { Random } from '../../fixtures/random.ts';
import type { VirtualClock } from '../../fixtures/virtual-clock.ts';
import type { FarEnd } from '../network/far-end.ts';

interface EchoPorts {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly nonce: () => number;
  readonly onFault: (what: string) => void;
}

const LONGEST_TUNNEL_MS = 3000;

export class Echoes {
  readonly #onFault: (what: string) => void;
  #sent = '';
  #got = '';

  /** @param early what came behind the 101. */
  constructor({ clock, random, nonce, onFault }: EchoPorts, far: FarEnd, early: string) {
    this.#onFault = onFault;
    this.onBytes(early);
    for (let left = random.below(5); left > 0; left--) {
      clock.after(random.below(LONGEST_TUNNEL_MS), () => {
        if (!far.isOpen) return;
        const text = `${nonce()};`;
        this.#sent += text;
        far.write(text);
      });
    }
    const endsInMs = random.below(2 * LONGEST_TUNNEL_MS);
    const closes = random.chance(0.5);
    clock.after(endsInMs, () => (closes ? far.close() : far.end()));
  }

  onBytes(text: string): void {
    this.#got += text;
    if (!this.#sent.startsWith(this.#got)) this.#onFault(`a tunnel gave ${this.#got} for ${this.#sent}`);
  }
}
