// What is voted on, and what a store of votes promises. Where votes are kept is for sqlite-votes.ts and redis-votes.ts.

export const OPTIONS = ['docker', 'helm', 'kubernetes', 'prometheus'] as const;
export type Option = (typeof OPTIONS)[number];
export type Counts = Readonly<Record<Option, number>>;

/** A vote that is counted once, however often it arrives with the same key; without a key, each time. */
export interface Vote {
  readonly option: Option;
  readonly key: string | undefined;
}

/** All rejections are a VotesError. */
export interface Votes {
  counts(): Promise<Counts>;
  /** Counts one vote lastingly, unless its key was counted before, and resolves with the counts then. */
  add(vote: Vote): Promise<Counts>;
  close(): void;
}

/**
 * `unavailable`: the store cannot be used now, and may be soon; nothing was counted. `unanswered`: the same, and it is not known whether
 * the vote was counted. `key-reused`: that key belongs to a vote for another option.
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

/** Keys that are kept at most, the youngest ones. */
export const MAX_KEYS = 1_000_000;

/** How long the key of a vote is kept: a client that repeats a vote does so within minutes. */
export const KEY_LIFETIME_SECONDS = 86_400;

/** A vote waits no longer than this for a store that is busy or does not answer, in ms. */
export const PATIENCE_MS = 2000;

export function isOption(value: unknown): value is Option {
  return OPTIONS.includes(value as Option);
}

/** The error for a key that was sent before with another option. */
export function keyReused(): VotesError {
  return new VotesError('key-reused', 'its Idempotency-Key was used for a vote for another option');
}
