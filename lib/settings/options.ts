// Options as one table: flag, environment variable, unit, bounds, default and help line all come from tables/, and so does the
// table in README.md.

import { type IgnoredVariable, ignoredVariables, readVariable, variableOf } from './environment.ts';
import type { Kind } from './kinds.ts';
import type { Option } from './option.ts';
import { FLEET } from './tables/fleet.ts';
import { HEALTH } from './tables/health.ts';
import { PROXY } from './tables/proxy.ts';
import { RING } from './tables/ring.ts';
import { SERVICE } from './tables/service.ts';

// What a ring of so many virtual nodes takes is what traffic waits for when it changes, or is imagined: 50 ms at most.
const MOST_POINTS = 16_384;
const MOST_PLACES = 2048;
const TABLE = { ...SERVICE, ...FLEET, ...RING, ...HEALTH, ...PROXY } as const;

type Table = typeof TABLE;
type ValueOf<T> = T extends Option<infer V, infer _Unit> ? V : never;
type UnitOf<T> = T extends Option<infer _V, infer Unit> ? Unit : never;
type CamelCase<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<CamelCase<B>>}` : S;

/** The value of every option, by its flag in camel case with its unit: `--reply-timeout` is `replyTimeoutMs`. */
export type Options = { readonly [F in keyof Table as `${CamelCase<F>}${UnitOf<Table[F]>}`]: ValueOf<Table[F]> };

/** One line for the person who gave a wrong option. Exit code 2. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

/**
 * The options that a command line and an environment give; the command line goes first. Throws OptionError for an unknown
 * flag, a value out of bounds, or values that do not go together.
 */
export function parseOptions(argv: readonly string[], environment: Readonly<NodeJS.ProcessEnv>): Options {
  const given = readFlags(argv);
  const values: Record<string, unknown> = {};
  let limitIsGiven = true;
  for (const [flag, option] of Object.entries(TABLE) as [string, Option<unknown, string>][]) {
    const [source, written] = given.has(flag)
      ? [`--${flag}`, given.get(flag)]
      : [variableOf(flag), readVariable(flag, option, environment)];
    values[keyOf(flag, option)] = written === undefined ? option.otherwise : readValue(source, option.kind, written);
    if (flag === 'max-replicas' && written === undefined) limitIsGiven = false;
  }
  // Each seat needs a slot: a small ring lowers a limit that nobody set.
  if (!limitIsGiven) values.maxReplicas = Math.min(values.maxReplicas as number, values.slots as number);
  const options = values as unknown as Options;
  checkTogether(options);
  return options;
}

/** The variables that look as if they were options and are not taken as any. */
export function ignoredInEnvironment(environment: Readonly<NodeJS.ProcessEnv>): readonly IgnoredVariable[] {
  return ignoredVariables(Object.keys(TABLE), environment);
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

/** All options at their defaults: a start for programs that use the library. */
export function defaultOptions(): Options {
  return parseOptions([], {});
}

/** What `--help` prints. */
export function helpText(): string {
  const rows = Object.entries(TABLE).map(([flag, { kind, otherwise, help }]) => [
    `  --${flag} ${kind.placeholder}`,
    `${help} (${kind.bounds}; ${kind.write(otherwise as never)})`,
  ]);
  const width = Math.max(...rows.map(([flag = '']) => flag.length)) + 2;
  return [
    'Usage: npm start -- [options]',
    '',
    'A load balancer with consistent hashing over replicas that it starts, watches and replaces.',
    '',
    ...rows.map(([flag = '', help]) => flag.padEnd(width) + help),
    `  ${'--help'.padEnd(width - 2)}this text`,
    `  ${'--version'.padEnd(width - 2)}the version`,
    '',
    `Each option is also an environment variable: ${variableOf('heartbeat-path')} is --heartbeat-path. The command`,
    'line goes first, and an empty variable says nothing. Times are in ms, or with a unit: 500ms, 2s, 1m.',
    '',
    'DELETE /rm removes n replicas, and picks at random what it is not told by name, also in place of a name that is not there.',
    'DELETE /rm?only-named picks none: a name that is not there is refused.',
    '',
  ].join('\n');
}

/** The table of README.md, in Markdown. */
export function optionsTable(): string {
  const code = (value: string) => (value === '' ? '' : `\`${value}\``);
  const rows = Object.entries(TABLE).map(
    ([flag, { kind, otherwise, help }]) =>
      `| \`--${flag}\` | \`${variableOf(flag)}\` | ${code(kind.write(otherwise as never))} | ${kind.bounds} | ${help} |`,
  );
  return ['| flag | environment | default | values | |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
}

function readFlags(argv: readonly string[]): Map<string, string> {
  const given = new Map<string, string>();
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] as string;
    if (!argument.startsWith('--')) throw new OptionError(`unexpected argument ${argument}: options begin with --`);
    const [, flag = '', attached] = /^--([^=]*)(?:=(.*))?$/s.exec(argument) ?? [];
    if (!Object.hasOwn(TABLE, flag)) throw new OptionError(`unknown option --${flag}; --help lists them`);
    const { kind } = TABLE[flag as keyof Table] as Option<unknown, string>;
    const next = argv[at + 1];
    const isAlone =
      attached === undefined && (next === undefined || (kind.bare !== undefined && next.startsWith('--')));
    const value = isAlone ? kind.bare : (attached ?? argv[++at]);
    if (value === undefined) throw new OptionError(`--${flag} needs a value: ${kind.bounds}`);
    given.set(flag, value);
  }
  return given;
}

function readValue(source: string, kind: Kind<unknown, string>, written: string): unknown {
  const value = kind.read(written);
  if (value === undefined) {
    throw new OptionError(`${source} takes ${kind.bounds}, not ${kind.secret ? 'that' : JSON.stringify(written)}`);
  }
  return value;
}

function checkTogether(options: Options): void {
  const { replicas, maxReplicas, slots, virtualNodes, upstream, port, adminPort, adminSocket } = options;
  if (adminPort !== 0 && adminPort === port) {
    throw new OptionError(`--admin-port takes another port than --port, which is ${port}`);
  }
  if (adminPort !== 0 && adminSocket !== '') {
    throw new OptionError('--admin-port and --admin-socket: the endpoints are in one place, name one of them');
  }
  const places = upstreamPlaces(options);
  if (places > slots) throw new OptionError(`--upstream takes at most --slots, which is ${slots}, not ${places}`);
  // Of no account where the replicas are given.
  if (upstream.size > 0) return;
  if (replicas > slots) throw new OptionError(`--replicas takes at most --slots, which is ${slots}, not ${replicas}`);
  if (replicas > maxReplicas) {
    throw new OptionError(`--replicas takes at most --max-replicas, which is ${maxReplicas}, not ${replicas}`);
  }
  if (maxReplicas > slots) {
    throw new OptionError(`--max-replicas takes at most --slots, which is ${slots}, not ${maxReplicas}`);
  }
  // A ring is built in one go, and nothing else is done meanwhile.
  if (maxReplicas * virtualNodes > MOST_POINTS) {
    throw new OptionError(
      `--max-replicas times --virtual-nodes may be at most ${MOST_POINTS}, not ${maxReplicas} times ${virtualNodes}`,
    );
  }
}

function keyOf(flag: string, { kind }: Option<unknown, string>): string {
  return flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase()) + kind.unit;
}
