// Turns a command line and an environment into the values of all options. The rows of tables/ say what each can be.

import { writeKeySpec } from '../core/keys/key-spec.ts';
import type { KeySource } from '../core/request/key-source.ts';
import { type IgnoredVariable, ignoredVariables, readVariable, variableOf } from './environment.ts';
import { faultIn } from './kinds.ts';
import { nearest } from './nearest.ts';
import type { SettledOption } from './option.ts';
import { insteadOf, retiredVariables } from './retired.ts';
import { OPTIONS, type Option, type Options, type PlainOptions } from './table.ts';
import { autoscaleBounds } from './tables/autoscaling.ts';

export type { Options };

// When a ring changes, or is imagined, traffic waits while it is built: 50 ms at most with this many virtual nodes.
const MOST_POINTS = 16_384;
const MOST_PLACES = 2048;

const MOST_WRONG_LETTERS = 2;

/** A rule about several options together. */
interface Rule {
  breaks(options: Options): boolean;
  /** The message for options that break the rule. */
  says(options: Options): string;
}

// Each replica gets its own, so one for all of them would be a mistake.
export const OWN_VARIABLES = ['PORT', 'SERVER_ID', 'RINGMASTER_SEAT'];

/** What `hash` is if it is a pair of functions, which only a program that uses the library can give. */
export const OWN_HASH = 'own';

const RULES: readonly Rule[] = [
  {
    breaks: ({ workers, hash, key }) =>
      workers > 1 && (hash === OWN_HASH || key.some(({ type }) => type === 'function')),
    says: ({ workers }) =>
      `--workers takes 1, not ${workers}, with a key or a hash that is a function: these stay in their thread`,
  },
  {
    breaks: ({ issueCookie, key }) => issueCookie && !isIssuable(key.at(-1)),
    says: ({ key }) => `--issue-cookie is for a --key that ends with cookie:NAME, not ${writeKeySpec(key)}`,
  },
  {
    breaks: ({ runtime, dockerImage }) => runtime === 'process' && dockerImage !== '',
    says: () => '--docker-image is for containers: leave out --runtime process',
  },
  {
    breaks: ({ command, upstream }) => command.length > 0 && upstream.size > 0,
    says: () => 'a command after -- and --upstream: replicas are started, or they run already; name one of them',
  },
  {
    breaks: ({ command, runtime, dockerImage }) => command.length > 0 && runtime === 'docker' && dockerImage === '',
    says: () => 'a command after -- is run as child processes, or in an image that --docker-image names',
  },
  {
    breaks: ({ command, runtime }) => runtime === 'docker' && command.some((part) => part.includes('{socket}')),
    says: () => 'the command has {socket}, but containers listen on a port: {port}',
  },
  {
    breaks: ({ dockerPort, runtime }) => dockerPort !== 0 && runtime === 'process',
    says: () => '--docker-port is for containers: name their image with --docker-image',
  },
  {
    breaks: ({ replicaCwd, runtime }) => replicaCwd !== '' && runtime === 'docker',
    says: () => '--replica-cwd is for child processes: the image says where a container works',
  },
  {
    breaks: ({ command, replicaListen }) => command.some((part) => part.includes(otherPlace(replicaListen))),
    says: ({ replicaListen }) =>
      `the command has ${otherPlace(replicaListen)}, but its replicas listen on a ${replicaListen}: see --replica-listen`,
  },
  {
    breaks: ({ replicaEnv }) => OWN_VARIABLES.some((name) => replicaEnv.has(name)),
    says: ({ replicaEnv }) =>
      `--replica-env cannot set ${OWN_VARIABLES.find((name) => replicaEnv.has(name))}: each replica gets its own`,
  },
  {
    breaks: ({ port, adminPort }) => adminPort !== 0 && adminPort === port,
    says: ({ port }) => `--admin-port takes another port than --port, which is ${port}`,
  },
  {
    breaks: ({ adminPort, adminSocket }) => adminPort !== 0 && adminSocket !== '',
    says: () => '--admin-port and --admin-socket: the endpoints are in one place, name one of them',
  },
  {
    breaks: (options) => upstreamPlaces(options) > options.slots,
    says: (options) => `--upstream takes at most --slots, which is ${options.slots}, not ${upstreamPlaces(options)}`,
  },
  {
    breaks: ({ autoscale, upstream }) => autoscale !== 'off' && upstream.size > 0,
    says: () =>
      '--autoscale starts and ends replicas, but with --upstream somebody else runs them: leave one of them out',
  },
];

// If others run the replicas, the options that say how many to start mean nothing.
const RULES_OF_STARTED: readonly Rule[] = [
  {
    breaks: ({ replicas, slots }) => replicas > slots,
    says: ({ replicas, slots }) => `--replicas takes at most --slots, which is ${slots}, not ${replicas}`,
  },
  {
    breaks: ({ replicas, maxReplicas }) => replicas > maxReplicas,
    says: ({ replicas, maxReplicas }) =>
      `--replicas takes at most --max-replicas, which is ${maxReplicas}, not ${replicas}`,
  },
  {
    breaks: ({ maxReplicas, slots }) => maxReplicas > slots,
    says: ({ maxReplicas, slots }) => `--max-replicas takes at most --slots, which is ${slots}, not ${maxReplicas}`,
  },
  {
    breaks: (options) => (autoscaleBounds(options)?.most ?? 0) > options.maxReplicas,
    says: (options) =>
      `--autoscale takes at most --max-replicas, which is ${options.maxReplicas}, not ${autoscaleBounds(options)?.most}`,
  },
  {
    // A ring is built in one go, and nothing else is done meanwhile.
    breaks: ({ maxReplicas, virtualNodes }) => maxReplicas * virtualNodes > MOST_POINTS,
    says: ({ maxReplicas, virtualNodes }) =>
      `--max-replicas times --virtual-nodes may be at most ${MOST_POINTS}, not ${maxReplicas} times ${virtualNodes}`,
  },
];

// RFC 6265, 4.1.1: the name of a cookie is a token. A client may send others.
function isIssuable(source: KeySource | undefined): boolean {
  return source?.type === 'cookie' && /^[\w!#$%&'*.^`|~-]+$/.test(source.name);
}

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

/** What is wrong with these options together, a line each. */
export function brokenRules(options: Options): string[] {
  const rules = options.upstream.size > 0 ? RULES : [...RULES, ...RULES_OF_STARTED];
  return rules.filter(({ breaks }) => breaks(options)).map(({ says }) => says(options));
}

/** Variables that look like options but are not used as any. */
export function ignoredInEnvironment(environment: Readonly<NodeJS.ProcessEnv>): readonly IgnoredVariable[] {
  return ignoredVariables([...OPTIONS.keys()], environment);
}

/**
 * How many places /add may fill on the ring, whoever holds them: a seat of weight w holds w. A list of `--upstream` may
 * have more, up to the slots, since it is laid out before there is traffic.
 */
export function mostPlaces({ slots, virtualNodes }: Options): number {
  return Math.min(slots, MOST_PLACES, Math.floor(MOST_POINTS / virtualNodes));
}

/** The places on the ring of all `--upstream` together. */
export function upstreamPlaces({ upstream }: Options): number {
  return upstream.values().reduce((sum, { weight }) => sum + weight, 0);
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

// What a command that listens on the one must not ask for.
export function otherPlace(listen: Options['replicaListen']): string {
  return listen === 'port' ? '{socket}' : '{port}';
}

/** The key of an option in `Options`. */
export function keyOf(flag: string, { kind }: Option): string {
  return flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()) + kind.unit;
}
