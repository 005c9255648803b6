// The command that a replica runs: what stands in its arguments for what is the replica's own, and whether there is
// such a program.

import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';
import { BalancerError } from '../../errors.ts';

// Where the kernel's callers look if there is no PATH.
const DEFAULT_SEARCH_PATH = '/usr/local/bin:/bin:/usr/bin';

/** What is a replica's own, by the name that stands for it in braces. */
export interface OwnValues {
  readonly port?: string;
  readonly socket?: string;
  readonly id: string;
  readonly seat: string;
}

/** Puts the replica's own values in place of `{port}`, `{socket}`, `{id}` and `{seat}`. Other braces stay. */
export function withOwnValues(text: string, own: OwnValues): string {
  return text.replaceAll(/\{(port|socket|id|seat)\}/g, (whole, name: keyof OwnValues) => own[name] ?? whole);
}

/**
 * Checks that the program and the working directory are there, since every start would fail in the same way otherwise.
 * Rejects with a BalancerError, for the person who gave the command.
 * @param searchPath is the PATH that the program is looked for in.
 * @param cwd is the working directory of the program; this process's own if it is empty.
 */
export async function checkCommand(program: string, searchPath: string | undefined, cwd: string): Promise<void> {
  if (!(await stat(resolve(cwd)).catch(() => undefined))?.isDirectory()) {
    throw new BalancerError('start-failed', `--replica-cwd ${cwd}: no such directory`);
  }
  const folders = program.includes('/') ? [''] : (searchPath ?? DEFAULT_SEARCH_PATH).split(delimiter);
  let found = false;
  for (const folder of folders) {
    const file = resolve(cwd, folder, program);
    if (!(await stat(file).catch(() => undefined))?.isFile()) continue;
    found = true;
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return;
  }
  if (found) throw new BalancerError('start-failed', `${program}: not a program that may be run`);
  throw new BalancerError('start-failed', `${program}: no such program${hintFor(program)}`);
}

function hintFor(program: string): string {
  if (program.startsWith('-')) return '; options stand before the lone --, and what follows it is the command';
  return /\s/.test(program) ? '; give its arguments as words of their own, or the whole to sh -c' : '';
}
