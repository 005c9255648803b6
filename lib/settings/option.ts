// A row of the tables of options: what its value can be, what it is where nobody says, whether it can change while the
// balancer runs, and its line of help. Rows come in groups.

import type { Kind } from './kinds.ts';

/**
 * Whether another value could be taken over by a balancer that runs, or why it could not. Nothing takes one over yet.
 */
export type Changes = 'live' | { readonly atStart: string };

export const atStart = (reason: string): Changes => ({ atStart: reason });

interface Row<T, Unit extends string> {
  readonly kind: Kind<T, Unit>;
  readonly changes: Changes;
  readonly help: string;
  /** A second variable that it is taken from. */
  readonly alsoFrom?: string;
}

/** Its value depends on no other row. */
export interface PlainOption<T, Unit extends string = ''> extends Row<T, Unit> {
  /** The value where nobody says. */
  readonly otherwise: T;
}

/** Its value depends on those of plain rows, `Known`, or on the machine. */
export interface SettledOption<T, Unit extends string = '', Known = object> extends Row<T, Unit> {
  /** What the help says of the value where nobody says. */
  readonly shown: string;
  /** @param given `undefined` if nobody says. */
  settle(given: T | undefined, known: Known): T;
}

export const option = <T, Unit extends string>(
  kind: Kind<T, Unit>,
  otherwise: T,
  changes: Changes,
  help: string,
  alsoFrom?: string,
): PlainOption<T, Unit> => ({ kind, otherwise, changes, help, ...(alsoFrom === undefined ? {} : { alsoFrom }) });

export const settled = <T, Unit extends string, Known>(
  kind: Kind<T, Unit>,
  shown: string,
  settle: (given: T | undefined, known: Known) => T,
  changes: Changes,
  help: string,
): SettledOption<T, Unit, Known> => ({ kind, shown, settle, changes, help });

/** Options of one subject. */
export interface Group<Rows> {
  readonly name: string;
  /** What they are about, in words that follow the name and a colon. */
  readonly about: string;
  /** By flag. */
  readonly rows: Rows;
}

export const group = <Rows>(name: string, about: string, rows: Rows): Group<Rows> => ({ name, about, rows });

export const DAY_MS = 86_400_000;
export const KIB = 2 ** 10;
export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
