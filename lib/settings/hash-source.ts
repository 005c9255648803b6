// Loads the hash pair that `--hash` names: one of the table, or a user's own module. A program that uses the library
// may give its functions instead.

import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MAX_WEIGHT } from '../core/fleet/fleet-state.ts';
import type { HashPair } from '../core/ring/hashes/hash-pair.ts';
import { HASH_NAMES, hashPair, hashPairFault } from '../core/ring/hashes/table.ts';
import type { RoutingPlan } from '../core/routing-plan.ts';
import { describe } from '../errors.ts';
import { OptionError, type Options } from './options.ts';
import { OWN_HASH } from './rules.ts';

/** The pair that a plan names. Rejects if its module cannot be loaded. */
export async function loadPair({ hash: of, slots, virtualNodes }: PlannedHash): Promise<HashPair> {
  if ('own' in of) throw new Error('the functions of a program are in its own thread only');
  if ('path' in of) return await import(pathToFileURL(of.path).href);
  return hashPair(of.name, slots, virtualNodes, (algorithm, text) => hash(algorithm, text, 'buffer'));
}

/**
 * The pair of `--hash`. One of a user's is called once with everything that it may be asked. Throws OptionError if it
 * is no pair.
 * @param own the functions that `OWN_HASH` stands for.
 */
export async function loadHashPair(options: Options, own?: HashPair): Promise<HashPair> {
  const { hash: source, slots, maxReplicas, virtualNodes } = options;
  const planned = hashOf(options);
  const named = source === OWN_HASH ? '--hash' : `--hash ${source}`;
  let pair: HashPair;
  try {
    pair = source === OWN_HASH && own !== undefined ? own : await loadPair({ hash: planned, slots, virtualNodes });
  } catch (error) {
    const place = placeOf(error) || ('path' in planned ? await placeIn(planned.path, error) : '');
    throw new OptionError(`${named} cannot be loaded: ${describe(error)}${place}`);
  }
  if ('name' in planned) return pair;
  const fault = hashPairFault(pair, slots, Math.min(slots, maxReplicas * MAX_WEIGHT), virtualNodes);
  if (fault !== undefined) throw new OptionError(`${named} is not a hash pair: ${fault}`);
  return pair;
}

// Node begins the stack of a syntax error in TypeScript with its place, that line, and an arrow below it.
const SYNTAX_PLACE = /^(?:file:\/\/)?(.*?)(?:\?as-typescript)?:(\d+)\n(?:\s*\n)*(.*)\n *\^/;

/** Where a syntax error is, if Node says it. */
function placeOf(error: unknown): string {
  const [, path = '', line = '', text = ''] =
    (error instanceof SyntaxError && SYNTAX_PLACE.exec(error.stack ?? '')) || [];
  return line === '' ? '' : ` (${basename(path)}, line ${line}: ${text.trim().slice(0, MOST_SHOWN)})`;
}

/**
 * The same of a module in JavaScript, whose errors have no place: the parser of TypeScript, which takes JavaScript too,
 * finds it once more.
 */
async function placeIn(path: string, error: unknown): Promise<string> {
  if (!(error instanceof SyntaxError)) return '';
  const url = `${pathToFileURL(path).href}?as-typescript`;
  const hooks = registerHooks({
    load: (loaded, context, next) =>
      loaded === url
        ? { format: 'module-typescript', source: readFileSync(path), shortCircuit: true }
        : next(loaded, context),
  });
  try {
    await import(url);
    return '; as TypeScript it would be right: name it .ts';
  } catch (found) {
    return placeOf(found);
  } finally {
    hooks.deregister();
  }
}

const MOST_SHOWN = 200;

/** What `--hash` names, in the form of a plan. A path is relative to the working directory. */
export function hashOf({ hash: source }: Options): RoutingPlan['hash'] {
  if (source === OWN_HASH) return { own: true };
  const name = HASH_NAMES.find((one) => one === source);
  return name === undefined ? { path: resolve(source) } : { name };
}

type PlannedHash = Pick<RoutingPlan, 'hash' | 'slots' | 'virtualNodes'>;
