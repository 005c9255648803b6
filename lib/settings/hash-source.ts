// The hash pair that `--hash` names: one of the table, or a user's own module.

import { hash } from 'node:crypto';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MAX_WEIGHT } from '../core/fleet/fleet-state.ts';
import type { HashPair } from '../core/ring/hashes/hash-pair.ts';
import { HASH_NAMES, type HashName, hashPair, hashPairFault } from '../core/ring/hashes/table.ts';
import type { RoutingPlan } from '../core/routing-plan.ts';
import { describe } from '../errors.ts';
import { OptionError, type Options } from './options.ts';

/**
 * The pair of a name of the table, or of a path relative to the working directory. Throws OptionError if it is no pair.
 */
export async function loadHashPair(options: Options): Promise<HashPair> {
  const { hash: source, slots, maxReplicas, virtualNodes } = options;
  if (HASH_NAMES.includes(source as HashName)) {
    return hashPair(source as HashName, slots, virtualNodes, (algorithm, text) => hash(algorithm, text, 'buffer'));
  }
  let module: HashPair;
  try {
    module = await import(pathToFileURL(resolve(source)).href);
  } catch (error) {
    throw new OptionError(`--hash ${source} cannot be loaded: ${describe(error)}`);
  }
  const fault = hashPairFault(module, slots, Math.min(slots, maxReplicas * MAX_WEIGHT), virtualNodes);
  if (fault !== undefined) throw new OptionError(`--hash ${source} is not a hash pair: ${fault}`);
  return module;
}

/** The pair of `--hash` as a plan names it, a path made absolute. */
export function hashOf({ hash: source }: Options): RoutingPlan['hash'] {
  return HASH_NAMES.includes(source as HashName) ? { name: source } : { path: resolve(source) };
}
