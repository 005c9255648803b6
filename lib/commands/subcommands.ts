// What the program does beside balancing: each is a word that stands before all flags.

import { CHECK } from './check.ts';
import { CONFIG } from './config.ts';
import type { Subcommand } from './subcommand.ts';
import { UPGRADE } from './upgrade.ts';

/** By the word. */
export const SUBCOMMANDS: ReadonlyMap<string, Subcommand> = new Map([
  ['check', CHECK],
  ['config', CONFIG],
  ['upgrade', UPGRADE],
]);
