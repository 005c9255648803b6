// Follows the engine's event stream: containers of ours that end, run out of memory or are unhealthy. A broken stream
// is resumed where it ended. Since events can be lost all the same, the listener is then told to take an inventory.

import type { Clock, ReplicaRef, RuntimeNews } from '../../../core/ports.ts';
import { describe } from '../../../errors.ts';
import type { Log } from '../../../log.ts';
import { withLastWords } from '../last-words.ts';
import { LABEL } from './container.ts';

export interface ContainerWatch {
  /** Events since this time, in seconds, are told too. */
  readonly since: string | undefined;
  /** Opens the stream: events of our containers since that time (seconds with their fraction), as JSON lines. */
  readonly open: (sinceSeconds: string | undefined) => Promise<AsyncIterable<string | Uint8Array>>;
  readonly replicaOf: (
    labels: Readonly<Record<string, string>>,
    hostname: string | undefined,
  ) => ReplicaRef | undefined;
  /** What that container wrote last; empty if it cannot be read. Never rejects. */
  readonly lastWords: (id: string) => Promise<string>;
  /** Called with the container by which a balancer that starts asks whether somebody holds the fleet (hold.ts). */
  readonly asked: (id: string) => void;
  readonly listener: (news: RuntimeNews) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

interface ContainerEvent {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly timeNano: number;
}

// Exit codes of processes ended by SIGKILL and by SIGTERM.
const KILLED = [137, 143];
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2000;

/** The types of events that `open` has to ask for. */
export const CONTAINER_EVENTS = ['create', 'die', 'oom', 'kill', 'rename', 'health_status'];

/** Resolves when `signal` is aborted. */
export async function watchContainers(watch: ContainerWatch): Promise<void> {
  const reader = new EventReader(watch);
  let waitMs = FIRST_WAIT_MS;
  for (let connections = 0; !watch.signal.aborted; connections++) {
    try {
      const stream = await watch.open(reader.sinceSeconds);
      if (connections > 0) {
        watch.log.info('docker-restored');
        watch.listener({ type: 'restored' });
      }
      waitMs = FIRST_WAIT_MS;
      for await (const piece of stream) reader.read(typeof piece === 'string' ? piece : Buffer.from(piece).toString());
    } catch (error) {
      if (!watch.signal.aborted) watch.log.error('docker-events-lost', { reason: describe(error) });
    }
    await watch.clock.sleep(waitMs, watch.signal).catch(() => undefined);
    waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
  }
}

/** Reads one JSON object per line, in pieces of any size. */
class EventReader {
  readonly #watch: ContainerWatch;
  #rest = '';
  // When the kernel last ended a process in a container for lack of memory, by incarnation.
  readonly #outOfMemoryNano = new Map<number, number>();
  /** Time of the last event in the engine's format: seconds with their fraction. */
  sinceSeconds: string | undefined;

  constructor(watch: ContainerWatch) {
    this.#watch = watch;
    this.sinceSeconds = watch.since;
  }

  read(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines.filter((one) => one.trim() !== '')) {
      try {
        this.#tell(JSON.parse(line) as ContainerEvent);
      } catch (error) {
        this.#watch.log.error('docker-event-unread', { reason: describe(error) });
      }
    }
  }

  #tell(event: ContainerEvent): void {
    const labels = event.Actor.Attributes;
    const replica = this.#watch.replicaOf(labels, labels.name);
    // Slightly earlier, because a double cannot hold the exact time; an event that is told twice does no harm.
    this.sinceSeconds = ((event.timeNano - 1000) / 1e9).toFixed(9);
    const { listener, asked } = this.#watch;
    if (event.Action === 'create' && labels[LABEL.asks] !== undefined) asked(event.Actor.ID);
    // A container with a new name may no longer be ours, so an inventory has to be taken.
    if (event.Action === 'rename') listener({ type: 'restored' });
    if (replica === undefined) return;
    if (event.Action === 'oom') {
      this.#outOfMemoryNano.set(replica.incarnation, event.timeNano);
    } else if (event.Action === 'die') {
      const sinceNano = event.timeNano - (this.#outOfMemoryNano.get(replica.incarnation) ?? Number.NEGATIVE_INFINITY);
      this.#outOfMemoryNano.delete(replica.incarnation);
      if (sinceNano < 2e9)
        listener({ type: 'exited', replica, reason: 'out of memory: --replica-memory gives it more' });
      else void this.#tellExit(replica, event.Actor.ID, Number(labels.exitCode));
    } else if (event.Action === 'kill' || event.Action === 'health_status: unhealthy') {
      listener({ type: 'doubted', replica });
    }
  }
  // A killed container has no last words, and its replacement should not wait for them.
  async #tellExit(replica: ReplicaRef, id: string, exitCode: number): Promise<void> {
    const words = KILLED.includes(exitCode) ? '' : await this.#watch.lastWords(id);
    this.#watch.listener({ type: 'exited', replica, reason: withLastWords(`exit code ${exitCode}`, words) });
  }
}
