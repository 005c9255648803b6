// The arguments of `npm run what-if`, and what they ask to be played.

import { parseArgs } from 'node:util';
import type { KeySource } from '../../lib/core/request/key-source.ts';
import { HASH_NAMES } from '../../lib/core/ring/hashes/table.ts';
import type { SeatId } from '../../lib/core/ring/ring.ts';
import type { Target } from '../../lib/core/what-if/needs.ts';
import type { FleetAt, NamedPair, Situation } from '../../lib/core/what-if/scenario.ts';
import { loadHashPair } from '../../lib/settings/hash-source.ts';
import { faultIn } from '../../lib/settings/kinds.ts';
import { keySources } from '../../lib/settings/lists/kinds.ts';
import { type Options, parseOptions } from '../../lib/settings/options.ts';
import { FORMATS } from './formats.ts';
import type { RequestSettings } from './requests.ts';

export const HELP = `Usage: npm run what-if -- [options] LOG …

Plays the requests of access logs through the ring: what each replica would have had to do, what moves at a change, and
what replicas of another number would find in their caches. LOG is a file, also one that gzip has packed, or - for
standard input: ringmaster's JSON, the combined form of Apache and nginx, or Caddy's JSON.

  --now N|SEATS            the fleet as it is: so many replicas, or seats as 1-4,7 (default 3)
  --then N|SEATS           the fleet to compare with (default: as --now)
  --change TIME=N|SEATS    the fleet as it is changed at that time (ISO 8601); may be repeated
  --key, --hash, --slots, --virtual-nodes, --balance-factor, --balance-floor
                           as ringmaster has them. Without --key: the key that the log has, else the request id
  --cache SIZE,…           room that each replica has for what it caches, as 512MiB or 2GiB (default 1GiB)
  --object LIST            what is cached, in the form of --key (default: one thing for each key)
  --object-size SIZE       how large it is (default: the bytes of the reply)
  --hashes LIST, --factors LIST
                           what to compare for the fleet of --then: hash pairs, and factors of bounded load or off
                           (default: all pairs that have a name, and that of --hash; off and 1.25). - compares nothing
  --target-rate N          find how many replicas it takes for no replica to get more requests a second,
  --target-hits PERCENT    or for so many hits in the first --cache
  --most N                 the most replicas to try for that (default: twice those of the larger fleet)
  --format ${FORMATS.join('|')}
                           (default: what the first line of each file is in)
  --duration MS            how long a request lasts where the log does not say (default 100)
  --json                   print everything as JSON
  --svg FILE               write a report with charts
  --help
`;

export interface WhatIf {
  readonly files: readonly string[];
  readonly situations: readonly Situation[];
  readonly options: Options;
  readonly cacheBytes: readonly number[];
  readonly requests: RequestSettings;
  readonly target: Target;
  readonly json: boolean;
  readonly svg: string | undefined;
}

const PASSED = ['key', 'hash', 'slots', 'virtual-nodes', 'balance-factor', 'balance-floor'] as const;
const OWN = ['now', 'then', 'cache', 'object', 'object-size', 'hashes', 'factors', 'target-rate', 'target-hits'].concat(
  ['most', 'format', 'duration', 'svg'],
);
const MOST_SEAT = 1024;
const MOST_SITUATIONS = 400;
const text = { type: 'string' } as const;
const DECLARED = {
  ...Object.fromEntries([...PASSED, ...OWN].map((name) => [name, text])),
  change: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

type Values = Readonly<Record<string, string | undefined>>;

/** Gives the help if that is asked for. Throws for what is wrong. */
export async function readArguments(words: readonly string[]): Promise<WhatIf | string> {
  const { values: given, positionals: files } = parseArgs({
    ...{ args: [...words], options: DECLARED, allowPositionals: true },
  });
  if (given.help) return HELP;
  const values = given as unknown as Values;
  if (files.length === 0) throw new Error('name a log, or - for standard input (--help tells the rest)');
  const passed = PASSED.flatMap((name) => (values[name] === undefined ? [] : [`--${name}`, values[name]]));
  const options = parseOptions(passed, {});
  const cacheBytes = (values.cache ?? '1GiB').split(',').map((size) => sizeOf('cache', size));
  const format = FORMATS.find((one) => one === values.format);
  if (values.format !== undefined && format === undefined) throw new Error(`--format takes ${FORMATS.join(', ')}`);
  return {
    ...{ files, options, cacheBytes, json: given.json === true, svg: values.svg },
    situations: await situationsOf(values, (given.change as string[] | undefined) ?? [], options),
    requests: {
      format,
      key: values.key === undefined ? undefined : options.key,
      object: values.object === undefined ? undefined : keyOf(values.object),
      objectBytes: values['object-size'] === undefined ? undefined : sizeOf('object-size', values['object-size']),
      durationMs: numberOf('duration', values.duration, 0, 3_600_000) ?? 100,
    },
    target: targetOf(values),
  };
}

function targetOf(values: Values): Target {
  const percent = numberOf('target-hits', values['target-hits']?.replace(/\s*%$/, ''), 0, 100);
  return {
    perSecond: numberOf('target-rate', values['target-rate'], 0.001, 1e9),
    hitRatio: percent === undefined ? undefined : percent / 100,
  };
}

async function situationsOf(values: Values, changes: readonly string[], options: Options): Promise<Situation[]> {
  const now = seatsOf('now', values.now ?? '3');
  const then = values.then === undefined ? now : seatsOf('then', values.then);
  const { balanceFloor: floor, balanceFactor: factor } = options;
  const pair = { name: options.hash, pair: await loadHashPair(options) };
  const always = (seats: readonly SeatId[]): FleetAt[] => [{ fromMs: Number.NEGATIVE_INFINITY, seats }];
  const changed = changes.map(changeOf).sort((a, b) => a.fromMs - b.fromMs);
  const situations: Situation[] = [
    { name: 'now', hash: pair, factor, floor, fleets: [...always(now), ...changed] },
    { name: 'then', hash: pair, factor, floor, fleets: always(then) },
  ];
  const needsSizes = values['target-rate'] !== undefined || values['target-hits'] !== undefined;
  const most =
    numberOf('most', values.most, 1, MOST_SEAT) ?? Math.min(MOST_SEAT, 2 * Math.max(now.length, then.length));
  const sizes = Array.from({ length: most }, (_, index) => countedSeats(index + 1));
  for (const hash of await comparedHashes(values, options, pair)) {
    for (const one of comparedFactors(values, factor)) {
      const base = { hash, factor: one, floor };
      situations.push({ ...base, name: 'compared', fleets: always(then) });
      if (needsSizes) situations.push(...sizes.map((seats) => ({ ...base, name: 'sized', fleets: always(seats) })));
    }
  }
  if (situations.length <= MOST_SITUATIONS) return situations;
  throw new Error(
    `this would be ${situations.length} fleets to play, more than ${MOST_SITUATIONS}: narrow --most, --hashes or --factors`,
  );
}

async function comparedHashes(values: Values, options: Options, own: NamedPair): Promise<NamedPair[]> {
  if (values.hashes === '-') return [];
  const names = values.hashes?.split(',') ?? [...new Set([options.hash, ...HASH_NAMES])];
  return Promise.all(
    names.map(async (hash) =>
      hash === own.name ? own : { name: hash, pair: await loadHashPair(namedHash(options, hash)) },
    ),
  );
}

function namedHash(options: Options, hash: string): Options {
  if (hash.includes('/') || (HASH_NAMES as readonly string[]).includes(hash)) return { ...options, hash };
  throw new Error(`--hashes takes ${HASH_NAMES.join(', ')} and paths of modules, not ${hash}`);
}

function comparedFactors(values: Values, own: number): number[] {
  if (values.factors === '-' || values.hashes === '-') return [];
  const factors = (values.factors ?? 'off,1.25').split(',').map((factor) => {
    const read = factor === 'off' ? Number.POSITIVE_INFINITY : Number(factor);
    if (Number.isNaN(read) || read < 1) throw new Error(`--factors takes numbers from 1 and off, not ${factor}`);
    return read;
  });
  return [...new Set(values.factors === undefined ? [own, ...factors] : factors)];
}

function changeOf(written: string): FleetAt {
  const at = written.lastIndexOf('=');
  const fromMs = Date.parse(written.slice(0, at));
  if (at === -1 || Number.isNaN(fromMs))
    throw new Error(`--change takes TIME=N, as 2026-11-27T08:00:00Z=4, not ${written}`);
  return { fromMs, seats: seatsOf('change', written.slice(at + 1)) };
}

function countedSeats(count: number): SeatId[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

// A number alone is a number of replicas; with a comma or a dash these are seats.
function seatsOf(flag: string, written: string): SeatId[] {
  const fault = () =>
    new Error(`--${flag} takes a number of replicas from 1 to ${MOST_SEAT}, or seats as 1-4,7, not ${written}`);
  if (/^\d{1,4}$/.test(written)) {
    if (Number(written) < 1 || Number(written) > MOST_SEAT) throw fault();
    return countedSeats(Number(written));
  }
  const seats = written.split(',').flatMap((part) => {
    const [, from, to = from] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? [];
    const [least, most] = [Number(from), Number(to)];
    if (from === undefined || least < 1 || most > MOST_SEAT || most < least) throw fault();
    return Array.from({ length: most - least + 1 }, (_, index) => least + index);
  });
  return [...new Set(seats)].sort((a, b) => a - b);
}

function keyOf(written: string): readonly KeySource[] {
  const read = keySources.read(written);
  if (read === undefined) throw new Error(`--object takes ${keySources.bounds}${faultIn(keySources, written)}`);
  return read;
}

const UNITS = ['', 'k', 'm', 'g', 't'];

function sizeOf(flag: string, written: string): number {
  const [, amount, unit = ''] = /^(\d{1,15}(?:\.\d{1,6})?) ?([kmgt]?)(?:i?b)?$/i.exec(written.trim()) ?? [];
  const bytes = Math.round(Number(amount) * 1024 ** UNITS.indexOf(unit.toLowerCase()));
  if (amount === undefined || bytes < 1 || bytes > 2 ** 50)
    throw new Error(`--${flag} takes sizes as 512MiB, not ${written}`);
  return bytes;
}

function numberOf(flag: string, written: string | undefined, least: number, most: number): number | undefined {
  if (written === undefined) return undefined;
  const read = /^\d{1,9}(\.\d{1,9})?$/.test(written) ? Number(written) : Number.NaN;
  if (read >= least && read <= most) return read;
  throw new Error(`--${flag} takes a number from ${least} to ${most}, not ${written}`);
}
