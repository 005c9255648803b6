// Shares out the file descriptors of this process. Clients that only wait could use up all of them; then no heartbeat
// could be sent, no request forwarded and no replica started. So each use has its part, and clients get the rest.

import type { Log } from '../log.ts';

export interface DescriptorShares {
  /** Connections of clients. Each may need a second descriptor, towards the replica of its request. */
  readonly maxConnections: number;
  /** Connections over that limit, which are only told that there are too many. */
  readonly maxRefused: number;
  /** Idle connections to replicas. */
  readonly maxIdleInAll: number;
  /** Connections to the admin port. */
  readonly maxAdminConnections: number;
}

export interface DescriptorWishes {
  readonly maxConnections: number;
  /** The most replicas that there may be. */
  readonly replicas: number;
  /** Threads that serve clients. */
  readonly workers: number;
}

// Descriptors that no client, replica or heartbeat uses: Node's own, standard streams, listeners, the guardian, a file
// for a moment.
const OWN = 72;
// A replica takes the pipes of its two outputs, and its heartbeat.
const DESCRIPTORS_OF_A_REPLICA = 3;
// A thread besides the first takes its event loop, its listeners and some to spare.
const DESCRIPTORS_OF_A_THREAD = 42;
const MOST_REFUSED = 256;
const MOST_ADMIN = 64;

/** The limit of this process, which Node has raised as far as allowed; Infinity if there is none, or it is unknown. */
export function descriptorLimit(): number {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}

export function shareDescriptors(limit: number, wishes: DescriptorWishes): DescriptorShares {
  const maxRefused = Math.min(MOST_REFUSED, Math.floor(limit / 16));
  const maxAdminConnections = Math.min(MOST_ADMIN, Math.floor(limit / 16));
  const forReplicas = Math.min(DESCRIPTORS_OF_A_REPLICA * wishes.replicas, Math.floor(limit / 4));
  const left = Math.max(0, limit - ownOf(wishes) - maxRefused - maxAdminConnections - forReplicas);
  // At least a fifth is left for kept connections to replicas. Without these each request would open one.
  const maxConnections = Math.max(1, Math.min(wishes.maxConnections, Math.floor((2 / 5) * left)));
  return { maxConnections, maxRefused, maxAdminConnections, maxIdleInAll: Math.max(0, left - 2 * maxConnections) };
}

/** How many open files would be enough for all these clients. */
export function descriptorsFor(wishes: DescriptorWishes): number {
  return (
    ownOf(wishes) +
    MOST_REFUSED +
    MOST_ADMIN +
    DESCRIPTORS_OF_A_REPLICA * wishes.replicas +
    Math.ceil((5 / 2) * wishes.maxConnections)
  );
}

function ownOf({ workers }: DescriptorWishes): number {
  return OWN + DESCRIPTORS_OF_A_THREAD * (workers - 1);
}

/** Warns if the wanted number of clients is more than the limit allows. */
export function warnOfShares(limit: number, wishes: DescriptorWishes, log: Log): void {
  const { maxConnections } = shareDescriptors(limit, wishes);
  if (maxConnections === wishes.maxConnections) return;
  log.warn('max-connections-lowered', {
    wanted: wishes.maxConnections,
    possible: maxConnections,
    reason:
      `this process may have ${limit} open files, and each client may need two: ` +
      `allow ${descriptorsFor(wishes)} (ulimit -n), or set --max-connections to ${maxConnections}`,
  });
}
