// Options of the fleet: which replicas there are, and where they run.

import { choice, decimal, fleetName, integer, onOff, path, redisUrl, size, text } from '../kinds.ts';
import { type Upstream, upstreams } from '../list-kinds.ts';
import { GIB, MIB, option } from '../option.ts';

export const FLEET = {
  replicas: option(integer(0, 1000), 3, 'replicas to start with'),
  'max-replicas': option(integer(1, 1000), 64, 'replicas that there may be'),
  'keep-scale': option(
    onOff,
    false,
    'begin with the hostnames and weights of the last orderly end, kept in `--data-dir`, instead of `--replicas`',
  ),
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
  upstream: option(
    upstreams,
    new Map<string, Upstream>(),
    'balance over these services instead: nothing is started; `host:port*3` has weight 3',
  ),
  'data-dir': option(path, './data', 'where child processes keep the votes, and `--keep-scale` its file'),
  // Replicas know it by that name.
  'votes-url': option(redisUrl, '', 'a Redis that keeps the votes instead; also from `VOTES_URL`', 'VOTES_URL'),
} as const;
