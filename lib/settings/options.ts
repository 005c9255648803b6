// Turns a command line and an environment into the values of all options. The rows of tables/ say what each can be.

import { type IgnoredVariable, ignoredVariables, readVariable, variableOf } from './environment.ts';
import type { SettledOption } from './option.ts';
import { OPTIONS, type Option, type Options, type PlainOptions } from './table.ts';

export type { Options };

// When a ring changes, or is imagined, traffic waits while it is built: 50 ms at most with this many virtual nodes.
const MOST_POINTS = 16_384;
const MOST_PLACES = 2048;

/** A rule about several options together. */
interface Rule {
  breaks(options: Options): boolean;
  /** The message for options that break the rule. */
  says(options: Options): string;
}

const RULES: readonly Rule[] = [
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
    // A ring is built in one go, and nothing else is done meanwhile.
    breaks: ({ maxReplicas, virtualNodes }) => maxReplicas * virtualNodes > MOST_POINTS,
    says: ({ maxReplicas, virtualNodes }) =>
      `--max-replicas times --virtual-nodes may be at most ${MOST_POINTS}, not ${maxReplicas} times ${virtualNodes}`,
  },
];

/** One line for the person who gave a wrong option. The process ends with exit code 2. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/**
 * The options that a command line and an environment give. The command line takes precedence. Throws OptionError for an
 * unknown flag, a value out of bounds, or values that do not go together.
 */
export function parseOptions(argv: readonly string[], environment: Readonly<NodeJS.ProcessEnv>): Options {
  const flags = readFlags(argv);
  const plain: Record<string, unknown> = {};
  const settled: [key: string, given: unknown, row: SettledOption<unknown, string, PlainOptions>][] = [];
  for (const [flag, row] of OPTIONS) {
    const given = readGiven(flag, row, flags, environment);
    if ('settle' in row) settled.push([keyOf(flag, row), given, row]);
    else plain[keyOf(flag, row)] = given ?? row.otherwise;
  }
  const known = plain as PlainOptions;
  const depending = settled.map(([key, given, row]) => [key, row.settle(given, known)]);
  const options = { ...known, ...Object.fromEntries(depending) } as Options;
  checkTogether(options);
  return options;
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

function readFlags(argv: readonly string[]): Map<string, string> {
  const given = new Map<string, string>();
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] as string;
    if (!argument.startsWith('--')) throw new OptionError(`unexpected argument ${argument}: options begin with --`);
    const [, flag = '', attached] = /^--([^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
    const kind = OPTIONS.get(flag)?.kind;
    if (kind === undefined) throw new OptionError(`unknown option --${flag}; --help lists them`);
    const next = argv[at + 1];
    const isAlone =
      attached === undefined && (next === undefined || (kind.bare !== undefined && next.startsWith('--')));
    const value = isAlone ? kind.bare : (attached ?? argv[++at]);
    if (value === undefined) throw new OptionError(`--${flag} needs a value: ${kind.bounds}`);
    given.set(flag, value);
  }
  return given;
}

// What the command line or the environment says; `undefined` if they say nothing.
function readGiven(
  flag: string,
  row: Option,
  flags: ReadonlyMap<string, string>,
  environment: Readonly<NodeJS.ProcessEnv>,
): unknown {
  const [source, written] = flags.has(flag)
    ? [`--${flag}`, flags.get(flag)]
    : [variableOf(flag), readVariable(flag, row, environment)];
  if (written === undefined) return undefined;
  const value = row.kind.read(written);
  if (value !== undefined) return value;
  throw new OptionError(
    `${source} takes ${row.kind.bounds}, not ${row.kind.secret ? 'that' : JSON.stringify(written)}`,
  );
}

function keyOf(flag: string, { kind }: Option): string {
  return flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()) + kind.unit;
}

function checkTogether(options: Options): void {
  const rules = options.upstream.size > 0 ? RULES : [...RULES, ...RULES_OF_STARTED];
  const broken = rules.find(({ breaks }) => breaks(options));
  if (broken !== undefined) throw new OptionError(broken.says(options));
}
