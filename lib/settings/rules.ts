// Which options do not go together, and what follows from several of them.

import { writeKeySpec } from '../core/keys/key-spec.ts';
import type { KeySource } from '../core/request/key-source.ts';
import { fixedUpstreams, lookupIn, soughtUpstreams } from './lists/upstream.ts';
import type { Options } from './table.ts';
import { autoscaleBounds } from './tables/fleet/autoscaling.ts';
import { startsReplicas } from './tables/fleet/balancers.ts';

// When a ring changes, or is imagined, traffic waits while it is built: 50 ms at most with this many virtual nodes.
const MOST_POINTS = 16_384;
const MOST_PLACES = 2048;

const MOST_SOUGHT = 16;

/** A rule about several options together. */
interface Rule {
  breaks(options: Options): boolean;
  /** The message for options that break the rule. */
  says(options: Options): string;
}

// Each replica gets its own, so one for all of them would be a mistake.
export const OWN_VARIABLES = ['PORT', 'SERVER_ID', 'RINGMASTER_SEAT'];

/** What `hash` is if it is a pair of functions, which only a program that uses the library can give. */
export const OWN_HASH = 'own';

const RULES: readonly Rule[] = [
  {
    breaks: ({ workers, hash, key }) =>
      workers > 1 && (hash === OWN_HASH || key.some(({ type }) => type === 'function')),
    says: ({ workers }) =>
      `--workers takes 1, not ${workers}, with a key or a hash that is a function: these stay in their thread`,
  },
  {
    breaks: ({ issueCookie, key }) => issueCookie && !isIssuable(key.at(-1)),
    says: ({ key }) => `--issue-cookie is for a --key that ends with cookie:NAME, not ${writeKeySpec(key)}`,
  },
  {
    breaks: ({ runtime, dockerImage }) => runtime === 'process' && dockerImage !== '',
    says: () => '--docker-image is for containers: leave out --runtime process',
  },
  {
    breaks: ({ command, upstream }) => command.length > 0 && upstream.size > 0,
    says: () => 'a command after -- and --upstream: replicas are started, or they run already; name one of them',
  },
  {
    breaks: ({ command, runtime, dockerImage }) => command.length > 0 && runtime !== 'process' && dockerImage === '',
    says: () => 'a command after -- is run as child processes, or in an image that --docker-image names',
  },
  {
    breaks: ({ command, runtime }) => runtime !== 'process' && command.some((part) => part.includes('{socket}')),
    says: () => 'the command has {socket}, but containers listen on a port: {port}',
  },
  {
    breaks: ({ dockerPort, runtime }) => dockerPort !== 0 && runtime === 'process',
    says: () => '--docker-port is for containers: name their image with --docker-image',
  },
  {
    breaks: ({ replicaCwd, runtime }) => replicaCwd !== '' && runtime !== 'process',
    says: () => '--replica-cwd is for child processes: the image says where a container works',
  },
  {
    breaks: ({ runtime, swarmConstraint, swarmSecret }) =>
      runtime !== 'swarm' && swarmConstraint.length + swarmSecret.length > 0,
    says: ({ swarmConstraint }) =>
      `--swarm-${swarmConstraint.length > 0 ? 'constraint' : 'secret'} is for replicas in a Swarm: --runtime swarm`,
  },
  {
    breaks: ({ command, replicaListen }) => command.some((part) => part.includes(otherPlace(replicaListen))),
    says: ({ replicaListen }) =>
      `the command has ${otherPlace(replicaListen)}, but its replicas listen on a ${replicaListen}: see --replica-listen`,
  },
  {
    breaks: ({ replicaEnv }) => OWN_VARIABLES.some((name) => replicaEnv.has(name)),
    says: ({ replicaEnv }) =>
      `--replica-env cannot set ${OWN_VARIABLES.find((name) => replicaEnv.has(name))}: each replica gets its own`,
  },
  {
    breaks: ({ port, adminPort }) => adminPort !== 0 && adminPort === port,
    says: ({ port }) => `--admin-port takes another port than --port, which is ${port}`,
  },
  {
    breaks: ({ adminPort, adminSocket }) => adminPort !== 0 && adminSocket !== '',
    says: () => '--admin-port and --admin-socket: the endpoints are in one place, name one of them',
  },
  {
    breaks: ({ role, members }) => (role === 'alone') !== (members === ''),
    says: ({ role, members }) =>
      members === '' ? `--role ${role} takes --members` : '--members is for --role controller or follower, not alone',
  },
  {
    breaks: ({ role, members }) => role === 'controller' && lookupIn(members) !== undefined,
    says: ({ members }) => `--role controller writes a file, and ${members} is a name that is looked up`,
  },
  {
    breaks: ({ role, upstream, command, keepScale, autoscale }) =>
      role === 'follower' && (upstream.size > 0 || command.length > 0 || keepScale || autoscale !== 'off'),
    says: () =>
      '--role follower has the replicas of its --members and no others: leave out --upstream, --keep-scale, --autoscale and a command',
  },
  {
    breaks: ({ upstream }) => soughtUpstreams(upstream).size > MOST_SOUGHT,
    says: ({ upstream }) =>
      `--upstream takes at most ${MOST_SOUGHT} names that are looked up, not ${soughtUpstreams(upstream).size}`,
  },
  {
    breaks: (options) => upstreamPlaces(options) > options.slots,
    says: (options) => `--upstream takes at most --slots, which is ${options.slots}, not ${upstreamPlaces(options)}`,
  },
  {
    breaks: ({ autoscale, upstream }) => autoscale !== 'off' && upstream.size > 0,
    says: () =>
      '--autoscale starts and ends replicas, but with --upstream somebody else runs them: leave one of them out',
  },
];

// If others run the replicas, the options that say how many to start mean nothing.
const RULES_OF_STARTED: readonly Rule[] = [
  {
    breaks: ({ replicas, slots }) => replicas > slots,
    says: ({ replicas, slots }) => `--replicas takes at most --slots, which is ${slots}, not ${replicas}`,
  },
  {
    breaks: ({ replicas, maxReplicas }) => replicas > maxReplicas,
    says: ({ replicas, maxReplicas }) =>
      `--replicas takes at most --max-replicas, which is ${maxReplicas}, not ${replicas}`,
  },
  {
    breaks: ({ maxReplicas, slots }) => maxReplicas > slots,
    says: ({ maxReplicas, slots }) => `--max-replicas takes at most --slots, which is ${slots}, not ${maxReplicas}`,
  },
  {
    breaks: (options) => (autoscaleBounds(options)?.most ?? 0) > options.maxReplicas,
    says: (options) =>
      `--autoscale takes at most --max-replicas, which is ${options.maxReplicas}, not ${autoscaleBounds(options)?.most}`,
  },
  {
    // A ring is built in one go, and nothing else is done meanwhile.
    breaks: ({ maxReplicas, virtualNodes }) => maxReplicas * virtualNodes > MOST_POINTS,
    says: ({ maxReplicas, virtualNodes }) =>
      `--max-replicas times --virtual-nodes may be at most ${MOST_POINTS}, not ${maxReplicas} times ${virtualNodes}`,
  },
];

// RFC 6265, 4.1.1: the name of a cookie is a token. A client may send others.
function isIssuable(source: KeySource | undefined): boolean {
  return source?.type === 'cookie' && /^[\w!#$%&'*.^`|~-]+$/.test(source.name);
}

/** What is wrong with these options together, a line each. */
export function brokenRules(options: Options): string[] {
  const rules = startsReplicas(options) ? [...RULES, ...RULES_OF_STARTED] : RULES;
  return rules.filter(({ breaks }) => breaks(options)).map(({ says }) => says(options));
}

/**
 * How many places /add may fill on the ring, whoever holds them: a seat of weight w holds w. A list of `--upstream` may
 * have more, up to the slots, since it is laid out before there is traffic.
 */
export function mostPlaces({ slots, virtualNodes }: Options): number {
  return Math.min(slots, MOST_PLACES, Math.floor(MOST_POINTS / virtualNodes));
}

/** The places on the ring of all services that `--upstream` lists, without those that it has looked up. */
export function upstreamPlaces({ upstream }: Options): number {
  return fixedUpstreams(upstream)
    .values()
    .reduce((sum, { weight }) => sum + weight, 0);
}

// What a command that listens on the one must not ask for.
export function otherPlace(listen: Options['replicaListen']): string {
  return listen === 'port' ? '{socket}' : '{port}';
}

/** The replicas are those of the sample service: it is known what they answer. */
export function isSample({ command, upstream, dockerImage }: Options): boolean {
  return command.length === 0 && upstream.size === 0 && dockerImage === '';
}
