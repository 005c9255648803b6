// The body of /balancer/what-if: which fleets to play the sketch of the last hour through. Pure. Members are called as
// the options of `npm run what-if` are.

import { HASH_NAMES } from '../../core/ring/hashes/table.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import type { Target } from '../../core/what-if/needs.ts';
import { BalancerError } from '../../errors.ts';
import { checkNoMore, parseObject, shown } from '../bodies.ts';

/** So many replicas, or these seats. */
export type FleetQuestion = { readonly count: number } | { readonly seats: readonly SeatId[] };

export interface WhatIfQuestion {
  /** `undefined`: the fleet as it is. */
  readonly now: FleetQuestion | undefined;
  /** What the body calls `then`. `undefined`: as `now`. */
  readonly next: FleetQuestion | undefined;
  /** Of the next fleet; `undefined`: as it is. Infinity for no bound. */
  readonly hash: string | undefined;
  readonly factor: number | undefined;
  readonly floor: number | undefined;
  /** To compare with, for the next fleet. */
  readonly hashes: readonly string[];
  readonly factors: readonly number[];
  readonly cacheBytes: readonly number[];
  readonly objectBytes: number | undefined;
  readonly target: Target | undefined;
  /** Up to how many replicas are tried for the target; `undefined`: twice those of the larger fleet. */
  readonly most: number | undefined;
  /** How long ago a change was made, of which is asked what it has moved in fact. */
  readonly changedMsAgo: number | undefined;
  /** Nothing else is asked, so nothing has to be played. */
  readonly isOfChangeOnly: boolean;
}

const EXAMPLE = '{"now": 6, "then": 8, "cache": "2GiB"}';
/** So many replicas a fleet may have here. */
export const MOST_SEATS = 256;
const MOST_SIZES = 4;
const MOST_FACTORS = 4;
const HOUR_MS = 3_600_000;

/** Throws `bad-body`. @param places how many the ring has room for, which is the highest number of a seat. */
export function parseWhatIf(text: string, places: number): WhatIfQuestion {
  const body = text === '' ? {} : parseObject(text, EXAMPLE);
  const { now, then, hash, factor, floor, hashes = [], factors = [], ...further } = body;
  const { cache = '1GiB', objectSize, targetRate, targetHits, most, changedMsAgo, ...rest } = further;
  checkNoMore(rest);
  const mostSeats = Math.min(MOST_SEATS, places);
  const perSecond = numberOf('targetRate', targetRate, 0.001, 1e9);
  const percent = numberOf('targetHits', targetHits, 0, 100);
  return {
    now: fleetOf('now', now, mostSeats, places),
    next: fleetOf('then', then, mostSeats, places),
    hash: hash === undefined ? undefined : hashOf('hash', hash),
    factor: factor === undefined ? undefined : factorOf('factor', factor),
    floor: wholeOf('floor', floor, 1, 1_000_000),
    hashes: listOf('hashes', hashes, HASH_NAMES.length).map((one, at) => hashOf(`hashes[${at}]`, one)),
    factors: listOf('factors', factors, MOST_FACTORS).map((one, at) => factorOf(`factors[${at}]`, one)),
    cacheBytes: cachesOf(cache),
    objectBytes: objectSize === undefined ? undefined : sizeOf('objectSize', objectSize),
    target:
      perSecond === undefined && percent === undefined
        ? undefined
        : { perSecond, hitRatio: percent === undefined ? undefined : percent / 100 },
    most: wholeOf('most', most, 1, mostSeats),
    changedMsAgo: numberOf('changedMsAgo', changedMsAgo, 0, HOUR_MS),
    isOfChangeOnly: changedMsAgo !== undefined && Object.keys(body).length === 1,
  };
}

function fleetOf(name: string, written: unknown, most: number, highest: number): FleetQuestion | undefined {
  if (written === undefined) return undefined;
  const fault = () =>
    refusal(`${name} must be a number of replicas from 1 to ${most}, or seats as "1-4,7", not ${shown(written)}`);
  if (typeof written === 'number') {
    if (!Number.isInteger(written) || written < 1 || written > most) throw fault();
    return { count: written };
  }
  if (typeof written !== 'string' || written.length > 1000) throw fault();
  const seats = new Set<SeatId>();
  for (const part of written.split(',')) {
    const [, from, to = from] = /^ *(\d{1,4})(?:-(\d{1,4}))? *$/.exec(part) ?? [];
    const [first, last] = [Number(from), Number(to)];
    if (from === undefined || first < 1 || last < first || last - first >= most) throw fault();
    // The ring is laid out up to the highest place in one go (test/end-to-end/what-if-sketch.test.ts).
    if (last > highest) throw refusal(`${name} has seat ${last}, but the ring has room for places 1 to ${highest}`);
    for (let seat = first; seat <= last; seat++) seats.add(seat);
    if (seats.size > most) throw fault();
  }
  return { seats: [...seats].sort((a, b) => a - b) };
}

// A path is refused: whoever asks here may not have a module loaded.
function hashOf(name: string, written: unknown): string {
  if ((HASH_NAMES as readonly unknown[]).includes(written)) return written as string;
  throw refusal(`${name} must be one of ${HASH_NAMES.join(', ')}, not ${shown(written)}`);
}

function factorOf(name: string, written: unknown): number {
  if (written === 'off') return Number.POSITIVE_INFINITY;
  const isFactor = typeof written === 'number' && written >= 1 && written <= 1000;
  if (isFactor) return written;
  throw refusal(`${name} must be "off" or a number from 1 to 1000, not ${shown(written)}`);
}

function cachesOf(written: unknown): number[] {
  const sizes: unknown[] = typeof written === 'string' ? written.split(',') : [written].flat();
  if (sizes.length >= 1 && sizes.length <= MOST_SIZES) return sizes.map((size) => sizeOf('cache', size));
  throw refusal(`cache must be one to ${MOST_SIZES} sizes as 512MiB, not ${shown(written)}`);
}

const UNITS = ['', 'k', 'm', 'g', 't'];

function sizeOf(name: string, written: unknown): number {
  const text = typeof written === 'number' ? String(written) : written;
  const [, amount, unit = ''] =
    (typeof text === 'string' && /^(\d{1,15}(?:\.\d{1,6})?) ?([kmgt]?)(?:i?b)?$/i.exec(text.trim())) || [];
  const bytes = Math.round(Number(amount) * 1024 ** UNITS.indexOf(unit.toLowerCase()));
  if (amount !== undefined && bytes >= 1 && bytes <= 2 ** 50) return bytes;
  throw refusal(`${name} must be a size as 512MiB, or a number of bytes, not ${shown(written)}`);
}

function listOf(name: string, written: unknown, most: number): unknown[] {
  if (Array.isArray(written) && written.length <= most) return written;
  throw refusal(`${name} must be a list of at most ${most}, not ${shown(written)}`);
}

function numberOf(name: string, written: unknown, least: number, most: number): number | undefined {
  if (written === undefined) return undefined;
  if (typeof written === 'number' && written >= least && written <= most) return written;
  throw refusal(`${name} must be a number from ${least} to ${most}, not ${shown(written)}`);
}

function wholeOf(name: string, written: unknown, least: number, most: number): number | undefined {
  const number = numberOf(name, written, least, most);
  if (number === undefined || Number.isInteger(number)) return number;
  throw refusal(`${name} must be a whole number, not ${shown(written)}`);
}

function refusal(reason: string): BalancerError {
  return new BalancerError('bad-body', reason);
}
