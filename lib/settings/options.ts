// Turns a command line and an environment into the values of all options. The rows of tables/ say what each can be.

import { type IgnoredVariable, ignoredVariables, readVariable, variableOf } from './environment.ts';
import { faultIn } from './kinds.ts';
import { nearest } from './nearest.ts';
import type { SettledOption } from './option.ts';
import { insteadOf, retiredVariables } from './retired.ts';
import { brokenRules } from './rules.ts';
import { OPTIONS, type Option, type Options, type PlainOptions } from './table.ts';

export type { Options };

const MOST_WRONG_LETTERS = 2;

/** What is wrong with options: a line, or of a file a line for each fault. The program then ends with exit code 2. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/** What a command line says. */
export interface CommandLine {
  /** The values of each flag, as they are written. */
  readonly flags: ReadonlyMap<string, readonly string[]>;
  /** What follows a lone `--`: empty if there is none. */
  readonly command: readonly string[];
}

/** Throws OptionError for an unknown flag, or one without a value. */
export function readLine(argv: readonly string[]): CommandLine {
  const at = argv.indexOf('--');
  if (at === -1) return { flags: readFlags(argv), command: [] };
  const command = argv.slice(at + 1);
  if (command[0] === undefined || command[0] === '') {
    throw new OptionError('-- needs a command after it: -- node app.js');
  }
  return { flags: readFlags(argv.slice(0, at)), command };
}

/**
 * The options that a command line and an environment give. The command line takes precedence. Throws OptionError for an
 * unknown flag, a value out of bounds, or values that do not go together. A file that `--config` names is not read.
 */
export function parseOptions(argv: readonly string[], environment: Readonly<NodeJS.ProcessEnv>): Options {
  const line = readLine(argv);
  checkRetired(environment);
  return optionsOf(line.command, (flag, row) => readGiven(flag, row, line, environment)?.value);
}

/**
 * The options of these values, and the defaults of those that are missing. Throws OptionError for values that do not go
 * together.
 * @param givenOf gives the value of an option; `undefined` if nobody has set it.
 */
export function optionsOf(command: readonly string[], givenOf: (flag: string, row: Option) => unknown): Options {
  const options = settledOptions(command, givenOf);
  const [broken] = brokenRules(options);
  if (broken !== undefined) throw new OptionError(broken);
  return options;
}

/** The same, but whether the values go together is for `brokenRules` to say. */
export function settledOptions(command: readonly string[], givenOf: (flag: string, row: Option) => unknown): Options {
  const plain: Record<string, unknown> = {};
  const settled: [key: string, given: unknown, row: SettledOption<unknown, string, PlainOptions>][] = [];
  for (const [flag, row] of OPTIONS) {
    const given = givenOf(flag, row);
    if ('settle' in row) settled.push([keyOf(flag, row), given, row]);
    else plain[keyOf(flag, row)] = given ?? row.otherwise;
  }
  const known: PlainOptions = { ...(plain as Omit<PlainOptions, 'command'>), command };
  const depending = settled.map(([key, given, row]) => [key, row.settle(given, known)]);
  return { ...known, ...Object.fromEntries(depending) } as Options;
}

/** Variables that look like options but are not used as any. */
export function ignoredInEnvironment(environment: Readonly<NodeJS.ProcessEnv>): readonly IgnoredVariable[] {
  return ignoredVariables([...OPTIONS.keys()], environment);
}

/** All options at their defaults, for programs that use the library. */
export function defaultOptions(): Options {
  return parseOptions([], {});
}

// The values of each flag. Of a flag that is given twice the last one counts, unless it may be repeated.
function readFlags(argv: readonly string[]): Map<string, readonly string[]> {
  const given = new Map<string, readonly string[]>();
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] as string;
    if (!argument.startsWith('--')) {
      throw new OptionError(
        `unexpected argument ${argument}: options begin with --, and a command follows a lone -- (npm start takes one ` +
          'for itself: npm start -- -- node app.js)',
      );
    }
    const [, flag = '', attached] = /^--([^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
    const kind = OPTIONS.get(flag)?.kind;
    if (kind === undefined) throw unknown(flag);
    const next = argv[at + 1];
    const isAlone =
      attached === undefined && (next === undefined || (kind.bare !== undefined && next.startsWith('--')));
    const value = isAlone ? kind.bare : (attached ?? argv[++at]);
    if (value === undefined) throw new OptionError(`--${flag} needs a value: ${kind.bounds}`);
    given.set(flag, kind.repeated === undefined ? [value] : [...(given.get(flag) ?? []), value]);
  }
  return given;
}

function unknown(flag: string): OptionError {
  const instead = insteadOf(flag);
  if (instead !== undefined) return new OptionError(`--${flag} is no option any more: ${instead}`);
  const meant = nearest(flag, [...OPTIONS.keys(), 'help', 'version'], MOST_WRONG_LETTERS);
  return new OptionError(
    `unknown option --${flag}${meant === undefined ? '; --help lists them' : `: did you mean --${meant}?`}`,
  );
}

/** Throws OptionError for a variable that was an option once. */
export function checkRetired(environment: Readonly<NodeJS.ProcessEnv>): void {
  for (const { variable, instead } of retiredVariables(environment)) {
    throw new OptionError(`${variable} is no option any more: ${instead}`);
  }
}

/** A value, and who gave it: a flag with its dashes, or a variable. */
export interface GivenValue {
  readonly value: unknown;
  readonly source: string;
}

/** What the command line or the environment says of an option; `undefined` if they say nothing. Throws OptionError. */
export function readGiven(
  flag: string,
  row: Option,
  { flags }: CommandLine,
  environment: Readonly<NodeJS.ProcessEnv>,
): GivenValue | undefined {
  const { kind } = row;
  const inVariable = () => {
    const written = readVariable(flag, environment);
    return written === undefined ? [] : (kind.repeated?.split(written) ?? [written]);
  };
  const onLine = flags.get(flag);
  const source = onLine === undefined ? variableOf(flag) : `--${flag}`;
  const values = (onLine ?? inVariable()).map((written) => {
    const value = kind.read(written);
    if (value !== undefined) return value;
    throw new OptionError(
      `${source} takes ${kind.bounds}, not ${kind.secret ? 'that' : JSON.stringify(written)}${faultIn(kind, written)}`,
    );
  });
  if (values.length === 0) return undefined;
  return { value: values.length > 1 ? kind.repeated?.join(values) : values[0], source };
}

/** The key of an option in `Options`. */
export function keyOf(flag: string, { kind }: Option): string {
  return flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()) + kind.unit;
}
