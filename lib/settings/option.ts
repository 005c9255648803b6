// A row of the tables of options: what its value can be, what it is where nobody says, and its line of help.

import type { Kind } from './kinds.ts';

export interface Option<T, Unit extends string = ''> {
  readonly kind: Kind<T, Unit>;
  readonly otherwise: T;
  readonly help: string;
  /** A second variable that it is taken from. */
  readonly alsoFrom?: string;
}

export const option = <T, Unit extends string>(
  kind: Kind<T, Unit>,
  otherwise: T,
  help: string,
  alsoFrom?: string,
): Option<T, Unit> => ({
  kind,
  otherwise,
  help,
  ...(alsoFrom === undefined ? {} : { alsoFrom }),
});

export const DAY_MS = 86_400_000;
export const KIB = 2 ** 10;
export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
