// Keeps the votes in one SQLite file that all replicas of a machine share. Votes that wait are counted in one
// transaction, so that a crowd costs one write to the disk instead of one each. `node:sqlite` blocks this process while
// it works. So a locked file is not waited for inside SQLite but tried again later, and heartbeats are answered
// meanwhile. After any other trouble the file is opened anew.

import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import {
  type Counts,
  KEY_LIFETIME_SECONDS,
  keyReused,
  MAX_KEYS,
  OPTIONS,
  type Option,
  PATIENCE_MS,
  type Vote,
  type Votes,
  VotesError,
} from './votes.ts';

const MAX_WAITING = 10_000;
// With this many a transaction takes milliseconds.
const MAX_BATCH = 200;
const LONGEST_PAUSE_MS = 50;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS votes (option TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS keys (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, option TEXT NOT NULL, seconds INTEGER NOT NULL
  ) STRICT;`;

interface Waiting extends Vote {
  readonly sinceMs: number;
  readonly resolve: (counts: Counts) => void;
  readonly reject: (error: VotesError) => void;
}

/** The votes in `directory`. It is opened at the first use, since most replicas never see a vote. */
export function sqliteVotes(directory: string): Votes {
  return new SqliteVotes(directory);
}

class SqliteVotes implements Votes {
  readonly #directory: string;
  readonly #path: string;
  #opened: OpenVotes | undefined;
  readonly #waiting: Waiting[] = [];
  #working = false;

  constructor(directory: string) {
    this.#directory = directory;
    this.#path = join(directory, 'votes.sqlite');
  }

  async counts(): Promise<Counts> {
    const sinceMs = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return this.#open().counts();
      } catch (error) {
        this.#recover(error);
        if (!isBusy(error) || isLate(sinceMs)) throw this.#asVotesError(error);
      }
      await pause(attempt);
    }
  }

  add(vote: Vote): Promise<Counts> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length >= MAX_WAITING) {
        reject(new VotesError('unavailable', `${MAX_WAITING} votes wait already`));
        return;
      }
      this.#waiting.push({ ...vote, sinceMs: performance.now(), resolve, reject });
      if (!this.#working) void this.#work();
    });
  }

  close(): void {
    this.#opened?.database.close();
    this.#opened = undefined;
  }

  async #work(): Promise<void> {
    this.#working = true;
    let attempt = 0;
    while (this.#waiting.length > 0) {
      // Votes that came in the same turn of the event loop can join, and heartbeats are answered between two
      // transactions.
      await pause(attempt);
      const batch = this.#waiting.slice(0, MAX_BATCH);
      try {
        const { counts, reused } = this.#open().add(batch);
        attempt = 0;
        this.#waiting.splice(0, batch.length);
        for (const vote of batch) {
          if (reused.has(vote)) vote.reject(keyReused());
          else vote.resolve(counts);
        }
      } catch (error) {
        this.#recover(error);
        attempt += 1;
        // Votes wait in the order in which they came, so the late ones are in front.
        const busy = isBusy(error);
        const hopeless = busy ? batch.filter((vote) => isLate(vote.sinceMs)) : batch;
        for (const vote of this.#waiting.splice(0, hopeless.length)) vote.reject(this.#asVotesError(error));
      }
    }
    this.#working = false;
  }

  // If the file was replaced under its name, votes counted in the old one would be lost, so it is opened anew.
  #open(): OpenVotes {
    if (this.#opened !== undefined && this.#opened.inode !== inodeOf(this.#path)) this.close();
    if (this.#opened === undefined) {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      keepPrivate(this.#path);
      this.#opened = new OpenVotes(this.#path);
    }
    return this.#opened;
  }

  #recover(error: unknown): void {
    if (!isBusy(error)) this.close();
  }

  #asVotesError(error: unknown): VotesError {
    return new VotesError('unavailable', describe(error, this.#path), { cause: error });
  }
}

class OpenVotes {
  readonly database: DatabaseSync;
  readonly inode: number | undefined;
  readonly #counts: StatementSync;
  readonly #addVote: StatementSync;
  readonly #addKey: StatementSync;
  readonly #optionOfKey: StatementSync;
  readonly #dropKeys: StatementSync;

  constructor(path: string) {
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      // FULL: a vote that was answered survives a power cut.
      database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${SCHEMA}`);
      this.#counts = database.prepare('SELECT option, count FROM votes');
      this.#addVote = database.prepare(
        'INSERT INTO votes VALUES (?, 1) ON CONFLICT (option) DO UPDATE SET count = count + 1',
      );
      this.#addKey = database.prepare('INSERT OR IGNORE INTO keys (key, option, seconds) VALUES (?, ?, ?)');
      this.#optionOfKey = database.prepare('SELECT option FROM keys WHERE key = ?');
      this.#dropKeys = database.prepare(
        `DELETE FROM keys WHERE id IN (SELECT id FROM keys ORDER BY id LIMIT ?)
         AND (seconds < ? OR id <= (SELECT MAX(id) FROM keys) - ${MAX_KEYS})`,
      );
    } catch (error) {
      database.close();
      throw error;
    }
    this.database = database;
    this.inode = inodeOf(path);
  }

  counts(): Counts {
    const counted = new Map(this.#counts.all().map((row) => [row.option, Number(row.count)]));
    return Object.fromEntries(OPTIONS.map((option) => [option, counted.get(option) ?? 0])) as Record<Option, number>;
  }

  /**
   * Counts all of these votes or, if it throws, none. `reused` has those whose key belongs to another vote; they are
   * not counted.
   */
  add<V extends Vote>(votes: readonly V[]): { counts: Counts; reused: ReadonlySet<V> } {
    const { database } = this;
    const seconds = Math.floor(Date.now() / 1000);
    const reused = new Set<V>();
    database.exec('BEGIN IMMEDIATE');
    try {
      for (const vote of votes) {
        if (vote.key === undefined || this.#addKey.run(vote.key, vote.option, seconds).changes === 1) {
          this.#addVote.run(vote.option);
        } else if (this.#optionOfKey.get(vote.key)?.option !== vote.option) reused.add(vote);
      }
      // Two of the oldest keys are dropped for each new one at most: the table shrinks to what may stay, and no
      // transaction has much to do.
      this.#dropKeys.run(2 * votes.length, seconds - KEY_LIFETIME_SECONDS);
      const counts = this.counts();
      database.exec('COMMIT');
      return { counts, reused };
    } finally {
      if (database.isTransaction) database.exec('ROLLBACK');
    }
  }
}

// The attack: another user of the machine reads votes and keys, or keeps the file locked
// (test/replica/sqlite-votes.test.ts). The files that SQLite puts beside a new one get its mode.
function keepPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  for (const part of [path, `${path}-wal`, `${path}-shm`]) {
    const mode = statSync(part, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o077) !== 0) tighten(part);
  }
}

// The mode of another user's file stays as it is, since that user may share it on purpose.
function tighten(path: string): void {
  try {
    chmodSync(path, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

function isLate(sinceMs: number): boolean {
  return performance.now() - sinceMs > PATIENCE_MS;
}

// Pauses are random, so that replicas that wait for the same lock do not collide again.
function pause(attempt: number): Promise<void> {
  if (attempt === 0) return new Promise((resolve) => setImmediate(resolve));
  const longestMs = Math.min(2 ** attempt, LONGEST_PAUSE_MS);
  return new Promise((resolve) => setTimeout(resolve, longestMs * Math.random()));
}

// Result codes: https://www.sqlite.org/rescode.html. The lower byte is the primary one.
const BUSY = [5, 6];
const REASONS: Readonly<Record<number, string>> = {
  5: 'is locked by another process',
  6: 'is locked by another process',
  8: 'may not be written',
  11: 'is damaged',
  13: 'does not fit on its disk, which is full',
  14: 'cannot be opened',
  26: 'is no database',
};

function resultCode(error: unknown): number {
  return ((error as { errcode?: number }).errcode ?? 0) & 0xff;
}

function isBusy(error: unknown): boolean {
  return BUSY.includes(resultCode(error));
}

function describe(error: unknown, path: string): string {
  const message = error instanceof Error ? error.message : String(error);
  const reason = REASONS[resultCode(error)];
  return reason === undefined ? `${path}: ${message}` : `${path} ${reason}`;
}
