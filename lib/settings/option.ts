// A row of the tables of options: the kind of its value, its default, whether it can change while the balancer runs,
// and its line of help. Rows come in groups.

import { availableParallelism } from 'node:os';
import type { Kind } from './kinds.ts';

/** `live` if a running balancer takes over another value, else why it does not. lib/reload/ has who takes what over. */
export type Changes = 'live' | { readonly atStart: string };

export const atStart = (reason: string): Changes => ({ atStart: reason });

interface Row<T, Unit extends string> {
  readonly kind: Kind<T, Unit>;
  readonly changes: Changes;
  readonly help: string;
  /** Said on the command line or in the environment, and neither in a file nor in a program. */
  readonly ofCommand?: true;
}

/** An option whose default depends on no other option. */
export interface PlainOption<T, Unit extends string = ''> extends Row<T, Unit> {
  /** The default. */
  readonly otherwise: T;
}

/** An option whose value depends on options of plain rows, `Known`, or on the machine. */
export interface SettledOption<T, Unit extends string = '', Known = object> extends Row<T, Unit> {
  /** How the help shows the default. */
  readonly shown: string;
  /** @param given the value if somebody set one. */
  settle(given: T | undefined, known: Known): T;
}

export const option = <T, Unit extends string>(
  kind: Kind<T, Unit>,
  otherwise: T,
  changes: Changes,
  help: string,
): PlainOption<T, Unit> => ({ kind, otherwise, changes, help });

export const settled = <T, Unit extends string, Known>(
  kind: Kind<T, Unit>,
  shown: string,
  settle: (given: T | undefined, known: Known) => T,
  changes: Changes,
  help: string,
): SettledOption<T, Unit, Known> => ({ kind, shown, settle, changes, help });

/** The row of an option of the command alone. */
export const ofCommand = <R extends object>(row: R): R & { readonly ofCommand: true } => ({ ...row, ofCommand: true });

/** Options of one subject. */
export interface Group<Rows> {
  readonly name: string;
  /** What the options are about, in words that follow the name and a colon. */
  readonly about: string;
  /** Rows by flag. */
  readonly rows: Rows;
}

export const group = <Rows>(name: string, about: string, rows: Rows): Group<Rows> => ({ name, about, rows });

/** Those that this process may use. Asked once, so that the same options have the same values at a reload. */
export const PROCESSORS = availableParallelism();

export const DAY_MS = 86_400_000;
export const KIB = 2 ** 10;
export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
