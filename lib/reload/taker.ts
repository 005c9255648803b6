// How a part takes other options over while the balancer runs: first it does what may fail, then all parts go by the
// new ones. `live` in a table of options means that some part does so; test/reload/takers.test.ts holds them together.

import type { HashPair } from '../core/ring/hashes/hash-pair.ts';
import type { Options } from '../settings/options.ts';

/** The options in force. A reload replaces them; whoever reads one that is `live` asks here each time. */
export interface Current {
  options: Options;
  /** The hash pair of these options. */
  pair: HashPair;
}

export interface Taker {
  /** The options that it takes over, by flag. */
  readonly flags: readonly string[];
  /**
   * Does what may fail, while the options before still hold. Rejects with an OptionError or BalancerError, and leaves
   * nothing changed then.
   */
  begin(next: Options, before: Options): Promise<Takeover>;
}

/** What is left to do. */
export interface Takeover {
  /** Has the part go by the new options. If it rejects, all parts are told to undo. */
  finish(): Promise<void> | void;
  /** Has it go by those before again, whether it was finished or not. */
  undo(): Promise<void> | void;
}
