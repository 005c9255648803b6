// Looks at the fleet every second, since a Swarm tells no events of tasks (moby#37403), and tells of replicas that have
// ended. Heartbeats and failing requests mostly know it before.

import type { Clock, ReplicaRef, RuntimeNews } from '../../../core/ports.ts';
import { describe } from '../../../errors.ts';
import type { Log } from '../../../log.ts';
import { withLastWords } from '../last-words.ts';
import type { FleetView } from './fleet-view.ts';
import { endOf, hasEnded, isToEnd, type SwarmTask } from './task.ts';

export interface SwarmWatch {
  readonly look: () => Promise<FleetView>;
  /** What that task wrote last; empty if it cannot be read. Never rejects. */
  readonly lastWords: (taskId: string) => Promise<string>;
  readonly listener: (news: RuntimeNews) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const LOOK_EVERY_MS = 1000;

/** Resolves when `signal` is aborted. */
export async function watchServices({ look, lastWords, listener, clock, log, signal }: SwarmWatch): Promise<void> {
  const news = new ServiceNews(listener, lastWords);
  let isLost = false;
  while (!signal.aborted) {
    try {
      const view = await look();
      if (signal.aborted) return;
      if (isLost) {
        log.info('swarm-restored');
        listener({ type: 'restored' });
      }
      isLost = false;
      news.tell(view);
    } catch (error) {
      if (!isLost && !signal.aborted) log.error('swarm-lost', { reason: describe(error) });
      isLost = true;
    }
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
  }
}

/** Compares each view with the one before. */
class ServiceNews {
  readonly #listener: SwarmWatch['listener'];
  readonly #lastWords: SwarmWatch['lastWords'];
  // Replicas whose services were there and whose end has not been told, by incarnation.
  #known = new Map<number, ReplicaRef>();
  readonly #ended = new Set<number>();
  readonly #doubted = new Set<number>();

  constructor(listener: SwarmWatch['listener'], lastWords: SwarmWatch['lastWords']) {
    this.#listener = listener;
    this.#lastWords = lastWords;
  }

  tell({ services, nodes }: FleetView): void {
    const there = new Map<number, ReplicaRef>();
    for (const { replica, task } of services) {
      if (replica === undefined) continue;
      const { incarnation } = replica;
      there.set(incarnation, replica);
      if (task !== undefined && hasEnded(task)) {
        if (!this.#ended.has(incarnation)) void this.#tellEnd(replica, task.ID, endOf(task));
        this.#ended.add(incarnation);
      } else if (task !== undefined && isDoubtful(task, nodes)) {
        if (!this.#doubted.has(incarnation)) this.#listener({ type: 'doubted', replica });
        this.#doubted.add(incarnation);
      } else {
        this.#doubted.delete(incarnation);
      }
    }
    for (const [incarnation, replica] of this.#known) {
      if (there.has(incarnation)) continue;
      if (!this.#ended.delete(incarnation)) {
        this.#listener({ type: 'exited', replica, reason: 'its service was removed' });
      }
      this.#doubted.delete(incarnation);
    }
    this.#known = there;
  }

  // The replica's replacement does not wait for the last words of one that was killed: it has none.
  async #tellEnd(replica: ReplicaRef, taskId: string, end: string): Promise<void> {
    const words = /^exit code (137|143)$/.test(end) ? '' : await this.#lastWords(taskId);
    this.#listener({ type: 'exited', replica, reason: withLastWords(end, words) });
  }
}

// The manager itself does not expect it to go on.
function isDoubtful(task: SwarmTask, nodes: FleetView['nodes']): boolean {
  return isToEnd(task) || nodes.get(task.NodeID ?? '')?.Status.State === 'down';
}
