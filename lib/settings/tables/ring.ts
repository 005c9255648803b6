// Options of the ring: how requests are spread.

import type { KeySource } from '../../core/request/key-source.ts';
import { HASH_NAMES } from '../../core/ring/hashes/table.ts';
import { duration, factorOrOff, hashSource, integer } from '../kinds.ts';
import { keySources } from '../list-kinds.ts';
import { DAY_MS, option } from '../option.ts';

export const RING = {
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
} as const;
