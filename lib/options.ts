// The one table of options: flag, environment variable, unit, bounds, default and help line all come from here, and so does the
// table in README.md.

import type { AccessMode } from './admin/access.ts';
import { HASH_NAMES } from './core/hashes/table.ts';
import type { Address } from './core/ports.ts';
import { LOG_LEVELS } from './log.ts';
import {
  choice,
  decimal,
  duration,
  factorOrOff,
  fleetName,
  hashSource,
  integer,
  type Kind,
  keySources,
  orOff,
  path,
  redisUrl,
  size,
  text,
  token,
  trustedProxies,
  upstreams,
  urlPathOrOff,
} from './option-kinds.ts';
import type { KeySource } from './proxy/key.ts';

interface Option<T> {
  readonly kind: Kind<T>;
  readonly otherwise: T;
  readonly help: string;
}

const option = <T>(kind: Kind<T>, otherwise: T, help: string): Option<T> => ({ kind, otherwise, help });

const MOST_POINTS = 65_536;
const DAY_MS = 86_400_000;
const KIB = 2 ** 10;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

const TABLE = {
  port: option(integer(0, 65_535), 5000, 'port to listen on; 0 picks a free one and prints it'),
  host: option(text('an address or hostname'), '127.0.0.1', 'address to listen on'),
  replicas: option(integer(0, 1000), 3, 'replicas to start with'),
  'max-replicas': option(integer(1, 1000), 64, 'replicas that there may be'),
  runtime: option(choice(['process', 'docker']), 'process', 'where replicas run'),
  fleet: option(
    fleetName,
    '',
    'whose replicas these are, on an engine with several balancers; `ringmaster-` and the port if empty',
  ),
  'docker-network': option(
    text('the name of a network'),
    '',
    'network shared with the replicas; they get loopback ports if empty',
  ),
  'docker-image': option(text('the name of an image'), '', 'image of the replicas; built from this checkout if empty'),
  'docker-volume': option(
    text('the name of a volume'),
    'ringmaster-votes',
    'where replicas in containers keep the votes',
  ),
  'replica-memory': option(size(16 * MIB, 1024 * GIB), 256 * MIB, 'memory of a replica in a container'),
  'replica-cpus': option(decimal(0.05, 1024), 1, 'processors of a replica in a container'),
  upstream: option(upstreams, new Map<string, Address>(), 'balance over these services instead: nothing is started'),
  'data-dir': option(path, './data', 'where replicas keep the votes'),
  'votes-url': option(redisUrl, '', 'a Redis that keeps the votes instead; also from `VOTES_URL`'),
  hash: option(hashSource(HASH_NAMES), 'even', 'hash pair of the ring: a name, or a module of your own'),
  slots: option(integer(1, 65_536), 512, 'slots of the ring'),
  'virtual-nodes': option(integer(1, 256), 9, 'virtual nodes of each replica'),
  key: option(
    keySources,
    [{ type: 'request' }] as readonly KeySource[],
    'what a request is hashed by; the first it has',
  ),
  'balance-factor': option(
    factorOrOff(1, 100),
    undefined,
    'most that a replica may have of the requests in flight, over its part',
  ),
  'slow-start': option(
    duration(0, DAY_MS),
    0,
    'time over which a replica that joins takes its slots, where `--key` is a key',
  ),
  'heartbeat-interval': option(duration(10, 3_600_000), 500, 'wait between two heartbeats of a replica'),
  'heartbeat-timeout': option(duration(1, 60_000), 500, 'time that a replica has to answer one'),
  'heartbeat-failures': option(integer(1, 100), 3, 'failures in a row that cost a replica its seat'),
  'heartbeat-path': option(urlPathOrOff, '/heartbeat', 'path that is asked for; `off` switches probing off'),
  'start-timeout': option(
    duration(100, 3_600_000),
    30_000,
    'time that a replica has from its start to its first good heartbeat',
  ),
  'connect-timeout': option(duration(1, 60_000), 1000, 'time that a replica has to accept a connection'),
  'reply-timeout': option(
    duration(1, DAY_MS),
    30_000,
    'time that a replica has, with the whole request, to begin to reply',
  ),
  'request-timeout': option(
    duration(1, DAY_MS),
    60_000,
    'the same over all attempts, from the whole request to the head of its reply',
  ),
  'body-timeout': option(duration(1, DAY_MS), 60_000, 'longest pause within a body, on either side'),
  'head-timeout': option(duration(1, DAY_MS), 10_000, 'time that a client has for the head of a request'),
  'keep-alive-timeout': option(
    duration(1, DAY_MS),
    60_000,
    'time that a client’s connection is kept without a request',
  ),
  'replica-idle-timeout': option(
    duration(4, DAY_MS),
    3000,
    'time that a connection to a replica is kept; shorter than the replica keeps it',
  ),
  'tunnel-idle-timeout': option(duration(1, DAY_MS), 600_000, 'longest silence of an upgraded connection'),
  'max-head-size': option(size(KIB, MIB), 64 * KIB, 'head of a request or a reply'),
  'max-body-size': option(orOff(size(0, 1024 * GIB)), Number.POSITIVE_INFINITY, 'body of a request'),
  'max-connections': option(integer(1, 1_000_000), 10_000, 'connections of clients; more are told 503'),
  'max-requests-per-connection': option(
    orOff(integer(1, 1_000_000)),
    Number.POSITIVE_INFINITY,
    'requests after which a client’s connection is closed',
  ),
  // About what the listen backlog of a service holds: 511 in Node, if it does not say.
  'max-in-flight': option(integer(1, 1_000_000), 512, 'requests that one replica may have at a time'),
  // Whoever may have a connection may wait: how long is the limit that counts.
  queue: option(integer(0, 1_000_000), 10_000, 'requests that may wait while all replicas are full'),
  'queue-timeout': option(duration(1, DAY_MS), 5000, 'time that a request may wait for a replica with room'),
  'max-attempts': option(integer(1, 10), 3, 'replicas that one request may be tried at'),
  'retry-budget': option(decimal(0, 10), 0.2, 'attempts beyond the first, over the requests of the last seconds'),
  'trust-proxy': option(
    trustedProxies,
    [] as readonly string[],
    'proxies whose X-Forwarded-* and Forwarded are believed; others are replaced',
  ),
  admin: option(
    choice<AccessMode>(['auto', 'open', 'token']),
    'auto',
    'who may change the fleet: all, or who has the token; `auto`: all, on loopback without one',
  ),
  'admin-token': option(token, '', 'that token; drawn and printed at the start if it is needed and empty'),
  'admin-port': option(
    integer(0, 65_535),
    0,
    'port of its own for the balancer’s endpoints; 0 leaves them on the public one',
  ),
  grace: option(duration(0, 3_600_000), 10_000, 'time that open requests have when a replica or the balancer stops'),
  log: option(choice(LOG_LEVELS), 'info', 'lines on standard error: this level and graver ones'),
} as const;

type Table = typeof TABLE;
type ValueOf<T> = T extends Option<infer V> ? V : never;
type CamelCase<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<CamelCase<B>>}` : S;

/** The value of every option, by its flag in camel case. Times are in ms. */
export type Options = { readonly [F in keyof Table as CamelCase<F>]: ValueOf<Table[F]> };

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
  for (const [flag, { kind, otherwise }] of Object.entries(TABLE) as [string, Option<unknown>][]) {
    const variable = environmentName(flag);
    // A replica of its own knows the place of the votes by that name.
    const inEnvironment = environment[variable] ?? (flag === 'votes-url' ? environment.VOTES_URL : undefined);
    const [source, written] = given.has(flag) ? [`--${flag}`, given.get(flag)] : [variable, inEnvironment];
    values[camelCase(flag)] = written === undefined ? otherwise : readValue(source, kind, written);
    if (flag === 'max-replicas' && written === undefined) limitIsGiven = false;
  }
  // Each seat needs a slot: a small ring lowers a limit that nobody set.
  if (!limitIsGiven) values.maxReplicas = Math.min(values.maxReplicas as number, values.slots as number);
  const options = values as unknown as Options;
  checkTogether(options);
  return options;
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
    `Each option is also an environment variable: ${environmentName('heartbeat-path')} is --heartbeat-path. The command`,
    'line goes first. Times are in ms, or with a unit: 500ms, 2s, 1m.',
    '',
  ].join('\n');
}

/** The table of README.md, in Markdown. */
export function optionsTable(): string {
  const code = (value: string) => (value === '' ? '' : `\`${value}\``);
  const rows = Object.entries(TABLE).map(
    ([flag, { kind, otherwise, help }]) =>
      `| \`--${flag}\` | \`${environmentName(flag)}\` | ${code(kind.write(otherwise as never))} | ${kind.bounds} | ${help} |`,
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
    const value = attached ?? argv[++at];
    if (value === undefined)
      throw new OptionError(`--${flag} needs a value: ${TABLE[flag as keyof Table].kind.bounds}`);
    given.set(flag, value);
  }
  return given;
}

function readValue(source: string, kind: Kind<unknown>, written: string): unknown {
  const value = kind.read(written);
  if (value === undefined) {
    throw new OptionError(`${source} takes ${kind.bounds}, not ${kind.secret ? 'that' : JSON.stringify(written)}`);
  }
  return value;
}

function checkTogether(options: Options): void {
  const { replicas, maxReplicas, slots, virtualNodes, upstream, port, adminPort } = options;
  if (adminPort !== 0 && adminPort === port) {
    throw new OptionError(`--admin-port takes another port than --port, which is ${port}`);
  }
  if (upstream.size > slots) {
    throw new OptionError(`--upstream takes at most --slots, which is ${slots}, not ${upstream.size}`);
  }
  // Of no account where the replicas are given.
  if (upstream.size > 0) return;
  if (replicas > slots) throw new OptionError(`--replicas takes at most --slots, which is ${slots}, not ${replicas}`);
  if (replicas > maxReplicas) {
    throw new OptionError(`--replicas takes at most --max-replicas, which is ${maxReplicas}, not ${replicas}`);
  }
  if (maxReplicas > slots) {
    throw new OptionError(`--max-replicas takes at most --slots, which is ${slots}, not ${maxReplicas}`);
  }
  // A ring is laid out in one go, and nothing else is done meanwhile.
  if (maxReplicas * virtualNodes > MOST_POINTS) {
    throw new OptionError(
      `--max-replicas times --virtual-nodes may be at most ${MOST_POINTS}, not ${maxReplicas} times ${virtualNodes}`,
    );
  }
}

function environmentName(flag: string): string {
  return `RINGMASTER_${flag.toUpperCase().replaceAll('-', '_')}`;
}

function camelCase(flag: string): string {
  return flag.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
