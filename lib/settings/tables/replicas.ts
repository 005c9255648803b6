// Options of the replicas, wherever they run.

import { availableParallelism } from 'node:os';
import type { Address } from '../../core/ports.ts';
import { choice, duration, integer, onOff, path, redisUrl } from '../kinds.ts';
import { upstreams } from '../list-kinds.ts';
import { group, option, settled } from '../option.ts';

export const REPLICAS = group('Replicas', 'how many there are, and who runs them', {
  replicas: option(integer(0, 1000), 3, 'replicas to start with'),
  'max-replicas': settled(
    integer(1, 1000),
    '64, or --slots if that is less',
    // Each seat needs a slot: a small ring lowers a limit that nobody set.
    (given, { slots }: { slots: number }) => given ?? Math.min(64, slots),
    'replicas that there may be',
  ),
  'keep-scale': option(
    onOff,
    false,
    'begin with the hostnames and weights of the last orderly end, kept in `--data-dir`, instead of `--replicas`',
  ),
  upstream: option(upstreams, new Map<string, Address>(), 'balance over these services instead: nothing is started'),
  runtime: option(choice(['process', 'docker']), 'process', 'where replicas run'),
  'start-timeout': option(
    duration(100, 3_600_000),
    30_000,
    'time that a replica has from its start to its first good heartbeat',
  ),
  'parallel-starts': settled(
    integer(0, 1000),
    '0',
    // If all started at once, each would take longer than it may. At least two, so that one that hangs does not hold up the rest.
    (given = 0) => (given === 0 ? Math.max(2, availableParallelism()) : given),
    'replicas that may be coming up at a time; 0: one for each processor, at least two',
  ),
  'data-dir': option(path, './data', 'where child processes keep the votes, and `--keep-scale` its file'),
  // Replicas know it by that name.
  'votes-url': option(redisUrl, '', 'a Redis that keeps the votes instead; also from `VOTES_URL`', 'VOTES_URL'),
});
