// The body of /balancer/load, parsed into checked values.

import { BalancerError } from '../../errors.ts';
import { checkNoMore, parseObject, shown } from '../bodies.ts';
import { DISTRIBUTIONS, type Distribution } from './keyed-request.ts';

/** What load is wished for. */
export interface LoadWish {
  /** From 0, which ends the load, to 1,000. */
  readonly perSecond: number;
  readonly keys: Distribution;
  /** How long it lasts, in ms. */
  readonly forMs: number;
  /** Where all its requests go; `undefined` for the usual path. */
  readonly path: string | undefined;
}

const MOST_PER_SECOND = 1000;
const LASTS_MS = 300_000;
const LONGEST_MS = 600_000;
const MOST_PATH_CHARACTERS = 1000;

/** Throws `bad-body`. */
export function parseLoad(text: string): LoadWish {
  const { perSecond, keys = 'uniform', forMs = LASTS_MS, path, ...rest } = parseObject(text, '{"perSecond": 100}');
  if (!isWhole(perSecond, 0, MOST_PER_SECOND)) {
    throw refusal(`perSecond must be a whole number from 0, which ends the load, to 1000, not ${shown(perSecond)}`);
  }
  const distribution = DISTRIBUTIONS.find((one) => one === keys);
  if (distribution === undefined) throw refusal(`keys must be one of ${DISTRIBUTIONS.join(', ')}, not ${shown(keys)}`);
  if (!isWhole(forMs, 1, LONGEST_MS)) {
    throw refusal(`forMs must be a whole number from 1 to ${LONGEST_MS}, not ${shown(forMs)}`);
  }
  // What cannot stand in a request line would make another request of it.
  const isPath = typeof path === 'string' && path.length <= MOST_PATH_CHARACTERS && /^\/[!-~]*$/.test(path);
  if (path !== undefined && !isPath) {
    throw refusal(`path must begin with / and have only visible ASCII, not ${shown(path)}`);
  }
  checkNoMore(rest);
  return { perSecond, keys: distribution, forMs, path: path as string | undefined };
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function refusal(reason: string): BalancerError {
  return new BalancerError('bad-body', reason);
}
