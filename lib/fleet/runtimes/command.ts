// The command that a replica runs, in a process or a container: what stands in its arguments and variables for what is
// the replica's own, and whether there is such a program.

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
 * The variables of a replica: those given for all, with its own values in them, and those that tell it what it has to
 * know.
 * @param host is what HOST is, unless one was given.
 */
export function variablesWith(host: string, given: ReadonlyMap<string, string>, own: OwnValues) {
  const filledIn = [...given].map(([name, text]) => [name, withOwnValues(text, own)] as const);
  return {
    HOST: host,
    ...Object.fromEntries(filledIn),
    PORT: own.port ?? own.socket,
    SERVER_ID: own.id,
    RINGMASTER_SEAT: own.seat,
  };
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
  if ((await findProgram(program, searchPath, cwd)) !== undefined) return;
  const isThere = (await filesNamed(program, searchPath, cwd)).length > 0;
  if (isThere) throw new BalancerError('start-failed', `${program}: not a program that may be run`);
  throw new BalancerError('start-failed', `${program}: no such program${hintFor(program)}`);
}

function hintFor(program: string): string {
  if (program.startsWith('-')) return '; options stand before the lone --, and what follows it is the command';
  return /\s/.test(program) ? '; give its arguments as words of their own, or the whole to sh -c' : '';
}

/** The file that is run under that name; `undefined` if there is none. Parameters as those of `checkCommand`. */
async function findProgram(program: string, searchPath?: string, cwd = ''): Promise<string | undefined> {
  for (const file of await filesNamed(program, searchPath, cwd)) {
    const fault = await access(file, constants.X_OK).catch((error: Error) => error);
    if (fault === undefined) return file;
  }
  return undefined;
}

async function filesNamed(program: string, searchPath = DEFAULT_SEARCH_PATH, cwd: string): Promise<string[]> {
  const folders = program.includes('/') ? [''] : searchPath.split(delimiter);
  const candidates = folders.map((folder) => resolve(cwd, folder, program));
  const found = await Promise.all(candidates.map((file) => stat(file).catch(() => undefined)));
  return candidates.filter((_, index) => found[index]?.isFile() === true);
}
