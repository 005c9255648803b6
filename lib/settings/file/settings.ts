// The options in force, and where each value came from: the command line goes before the environment, that before the
// file that --config names, and that before the default.

import { readFile } from 'node:fs/promises';
import { describe } from '../../errors.ts';
import { loadHashPair } from '../hash-source.ts';
import {
  type CommandLine,
  checkRetired,
  OptionError,
  type Options,
  readGiven,
  readLine,
  settledOptions,
} from '../options.ts';
import { brokenRules } from '../rules.ts';
import { OPTIONS, type Option } from '../table.ts';
import { type ConfigFile, fullKey, readConfigText } from './config-file.ts';
import type { Place } from './json-text.ts';

export interface Settings {
  readonly options: Options;
  /** Where the value of each option came from, by flag; that of the command is under `command`. */
  readonly origins: ReadonlyMap<string, Origin>;
}

/** `where` is the flag with its dashes, the variable, or the place in the file: `ringmaster.json:3:5`. */
export type Origin =
  | { readonly from: 'flag' | 'environment' | 'file'; readonly where: string }
  | { readonly from: 'default' };

const NO_LINE: CommandLine = { flags: new Map(), command: [] };
const DEFAULT: Origin = { from: 'default' };
const COMMAND = 'command';

/**
 * Rejects with an OptionError: for the first mistake on the command line or in the environment, else for all of the
 * file, a line for each.
 */
export async function loadSettings(
  argv: readonly string[],
  environment: Readonly<NodeJS.ProcessEnv>,
): Promise<Settings> {
  const line = readLine(argv);
  checkRetired(environment);
  const path = readGiven('config', OPTIONS.get('config') as Option, line, environment)?.value;
  const file = path === undefined ? undefined : await readConfigFile(path as string);
  const { settings, faults } = settle(line, environment, file);
  if (faults.length > 0) throw new OptionError(faults.join('\n'));
  return settings;
}

/** What is wrong with that file, a line for each fault. Rejects with an Error if it cannot be read. */
export async function faultsOfFile(path: string): Promise<readonly string[]> {
  const { settings, faults } = settle(NO_LINE, {}, await readConfigFile(path));
  if (faults.length > 0) return faults;
  try {
    await loadHashPair(settings.options);
    return [];
  } catch (error) {
    return [describe(error).replaceAll('--hash', fullKey('hash'))];
  }
}

async function readConfigFile(path: string): Promise<ConfigFile> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new OptionError(`${path} cannot be read: ${describe(error)}`);
  }
  try {
    return readConfigText(path, new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    if (error instanceof TypeError) throw new OptionError(`${path} is not UTF-8`);
    throw error;
  }
}

function settle(
  line: CommandLine,
  environment: Readonly<NodeJS.ProcessEnv>,
  file: ConfigFile | undefined,
): { settings: Settings; faults: string[] } {
  const origins = new Map<string, Origin>();
  const inFile = (at: Place): Origin => ({ from: 'file', where: `${file?.path}:${at.line}:${at.column}` });
  const givenOf = (flag: string, row: Option) => {
    const given = readGiven(flag, row, line, environment);
    const placed = file?.values.get(flag);
    if (given !== undefined) {
      origins.set(flag, { from: line.flags.has(flag) ? 'flag' : 'environment', where: given.source });
      return given.value;
    }
    origins.set(flag, placed === undefined ? DEFAULT : inFile(placed.at));
    return placed?.value;
  };
  const onLine = line.command.length > 0;
  const command = onLine ? line.command : (file?.command?.value ?? []);
  origins.set(
    COMMAND,
    onLine ? { from: 'flag', where: '--' } : file?.command === undefined ? DEFAULT : inFile(file.command.at),
  );
  const options = settledOptions(command, givenOf);
  const faults = [...(file?.faults ?? [])].map(
    ({ at, message }) => `${file?.path}:${at.line}:${at.column}: ${message}`,
  );
  const faulty = file?.faulty ?? new Set();
  // What is said of a value that is wrong by itself would only confuse.
  const broken = brokenRules(options).filter((rule) => !flagsIn(rule).some((flag) => faulty.has(flag)));
  return { settings: { options, origins }, faults: [...faults, ...broken.map((rule) => placedRule(rule, origins))] };
}

// A rule about several options is told at the first one that the file has, by the keys of the file.
function placedRule(rule: string, origins: ReadonlyMap<string, Origin>): string {
  const isInFile = (key: string) => origins.get(key)?.from === 'file';
  const named = [...flagsIn(rule), ...(/\bcommand\b/.test(rule) ? [COMMAND] : [])].filter(isInFile);
  const origin = origins.get(named[0] ?? '') ?? DEFAULT;
  const text = rule.replaceAll(FLAG, (written, flag: string) => (isInFile(flag) ? fullKey(flag) : written));
  return origin.from === 'default' ? text : `${origin.where}: ${text}`;
}

const FLAG = /--([a-z][a-z-]*[a-z])/g;

function flagsIn(text: string): string[] {
  return [...text.matchAll(FLAG)].map(([, flag = '']) => flag);
}
