// What is voted on, and what a store of votes promises. sqlite-votes.ts and redis-votes.ts keep the votes.

export const OPTIONS = ['docker', 'helm', 'kubernetes', 'prometheus'] as const;
export type Option = (typeof OPTIONS)[number];
export type Counts = Readonly<Record<Option, number>>;

/** A vote. It is counted once, however often it arrives with the same key; without a key it is counted each time. */
export interface Vote {
  readonly option: Option;
  readonly key: string | undefined;
}

/** All rejections are a VotesError. */
export interface Votes {
  counts(): Promise<Counts>;
  /** Counts one vote durably, unless its key was counted before. Resolves with the counts after that. */
  add(vote: Vote): Promise<Counts>;
  close(): void;
}

/**
 * `unavailable`: the store cannot be used now but may be soon, and nothing was counted. `unanswered`: the same, but the
 * vote may have been counted. `key-reused`: the key belongs to a vote for another option.
 */
export class VotesError extends Error {
  override readonly name = 'VotesError';
  readonly code: VotesErrorCode;

  constructor(code: VotesErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

type VotesErrorCode = 'unavailable' | 'unanswered' | 'key-reused';

/** How many keys are kept at most; the youngest stay. */
export const MAX_KEYS = 1_000_000;

/** How long the key of a vote is kept. A client that repeats a vote does so within minutes. */
export const KEY_LIFETIME_SECONDS = 86_400;

/** How long a vote waits for a store that is busy or does not answer, in ms. */
export const PATIENCE_MS = 2000;

export function isOption(value: unknown): value is Option {
  return OPTIONS.includes(value as Option);
}

/** The error for a key that was sent before with another option. */
export function keyReused(): VotesError {
  return new VotesError('key-reused', 'its Idempotency-Key was used for a vote for another option');
}
