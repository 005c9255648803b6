// Starts a replica: makes its service, and waits until the one task of it runs somewhere.

import type { Address, Clock, ReplicaRef } from '../../../core/ports.ts';
import { BalancerError } from '../../../errors.ts';
import { withLastWords } from '../last-words.ts';
import type { FleetView } from './fleet-view.ts';
import { nodesToAvoid } from './placement.ts';
import { endOf, hasEnded, isPreparing, type SwarmTask } from './task.ts';

export interface Start {
  readonly look: () => Promise<FleetView>;
  /** Resolves with the id of the service. */
  readonly create: (avoided: readonly string[]) => Promise<string>;
  readonly remove: (serviceId: string) => Promise<void>;
  readonly lastWords: (taskId: string) => Promise<string>;
  /** Called with each task that a look has found. */
  readonly seen: (task: SwarmTask) => void;
  /** It was said that this one is to end. */
  readonly isEnding: (replica: ReplicaRef) => boolean;
  readonly doubtful: DoubtfulNodes;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const FIRST_LOOK_MS = 50;
const LONGEST_LOOK_MS = 500;
// The manager says at once that no node takes a task, and may say otherwise when it has looked again.
const NO_NODE_MS = 3000;
const DOUBT_MS = 60_000;

/** Nodes on which a start has failed: they get no other for a while, if there are others. */
export class DoubtfulNodes {
  readonly #clock: Clock;
  readonly #untilMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(id: string | undefined): void {
    if (id !== undefined && id !== '') this.#untilMs.set(id, this.#clock.now() + DOUBT_MS);
  }

  get ids(): string[] {
    const nowMs = this.#clock.now();
    return [...this.#untilMs].flatMap(([id, untilMs]) => (untilMs > nowMs ? [id] : []));
  }
}

/** Resolves with the address of the replica. Rejects if it does not come up, and leaves nothing then. */
export async function startService(start: Start): Promise<Address> {
  const { look, isEnding, doubtful } = start;
  const { services, nodes, tasks } = await look();
  const stay = services.filter(({ replica }) => replica === undefined || !isEnding(replica));
  const ids = new Set(stay.map(({ service }) => service.ID));
  const ending = tasks.filter(({ ServiceID }) => !ids.has(ServiceID));
  const avoided = nodesToAvoid(ending, [...nodes.values()], doubtful.ids);
  return (await tried(start, avoided)) ?? (await tried(start, [])) ?? Promise.reject(noNode('no node takes it'));
}

// Resolves with `undefined` if no node is left when some are avoided.
async function tried(start: Start, avoided: readonly string[]): Promise<Address | undefined> {
  const { signal, create, remove } = start;
  signal.throwIfAborted();
  const id = await create(avoided);
  const last: { task: SwarmTask | undefined } = { task: undefined };
  try {
    const address = await untilItRuns(start, id, last, avoided.length > 0);
    if (address === undefined) await remove(id);
    return address;
  } catch (error) {
    // To fetch the image takes its time, and elsewhere it would begin anew.
    if (last.task !== undefined && !isPreparing(last.task)) start.doubtful.add(last.task.NodeID);
    await remove(id).catch(() => undefined);
    throw error;
  }
}

async function untilItRuns(
  { look, lastWords, seen, clock, signal }: Start,
  id: string,
  last: { task: SwarmTask | undefined },
  avoidsAny: boolean,
): Promise<Address | undefined> {
  let pauseMs = FIRST_LOOK_MS;
  let unplacedSinceMs = Number.POSITIVE_INFINITY;
  for (;;) {
    // A service cannot be created in part: if the start is given up, it is removed by whoever called.
    signal.throwIfAborted();
    const found = (await look()).services.find(({ service }) => service.ID === id);
    signal.throwIfAborted();
    if (found === undefined) throw new BalancerError('start-failed', 'its service was removed');
    const { task, address } = found;
    last.task = task;
    if (task !== undefined) seen(task);
    if (address !== undefined) return address;
    if (task !== undefined && hasEnded(task)) {
      throw new BalancerError('start-failed', withLastWords(endOf(task), await lastWords(task.ID)));
    }
    const whyNowhere = task?.Status.State === 'pending' ? (task.Status.Err ?? '') : '';
    if (whyNowhere !== '' && avoidsAny) return undefined;
    if (whyNowhere === '') unplacedSinceMs = Number.POSITIVE_INFINITY;
    else unplacedSinceMs = Math.min(unplacedSinceMs, clock.now());
    if (clock.now() - unplacedSinceMs > NO_NODE_MS) throw noNode(whyNowhere);
    await clock.sleep(pauseMs, signal).catch(() => undefined);
    pauseMs = Math.min(LONGEST_LOOK_MS, 1.5 * pauseMs);
  }
}

function noNode(why: string): BalancerError {
  return new BalancerError('start-failed', `the Swarm does not place it: ${why}`);
}
