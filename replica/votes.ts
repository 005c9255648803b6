// The votes, in one SQLite file that all replicas of a machine share. Opened at the first use: most replicas never see a vote.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export const OPTIONS = ['docker', 'helm', 'kubernetes', 'prometheus'] as const;
export type Option = (typeof OPTIONS)[number];
export type Counts = Readonly<Record<Option, number>>;

export interface Votes {
  counts(): Counts;
  /** Counts one vote durably and gives the counts after it. Throws if it could not be counted; then it was not. */
  add(option: Option): Counts;
  close(): void;
}

export function isOption(value: unknown): value is Option {
  return OPTIONS.includes(value as Option);
}

export function openVotes(directory: string): Votes {
  let opened: DatabaseSync | undefined;
  const database = () => {
    opened ??= open(directory);
    return opened;
  };
  const counts = (): Counts => {
    const rows = database().prepare('SELECT option, count FROM votes').all();
    const counted = new Map(rows.map((row) => [row.option, Number(row.count)]));
    return Object.fromEntries(OPTIONS.map((option) => [option, counted.get(option) ?? 0])) as Counts;
  };
  return {
    counts,
    add: (option) => {
      const statement = 'INSERT INTO votes VALUES (?, 1) ON CONFLICT (option) DO UPDATE SET count = count + 1';
      database().prepare(statement).run(option);
      return counts();
    },
    close: () => opened?.close(),
  };
}

function open(directory: string): DatabaseSync {
  mkdirSync(directory, { recursive: true });
  // Another replica may be writing: wait for it rather than fail, but not so long that heartbeats go unanswered.
  const database = new DatabaseSync(join(directory, 'votes.sqlite'), { timeout: 250 });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
  database.exec('CREATE TABLE IF NOT EXISTS votes (option TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT');
  return database;
}
