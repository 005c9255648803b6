// ReplicaRuntime on the services of a Docker Swarm: one for each replica, with one task that the Swarm places and does
// not restart. Labels say which services are ours, and others are never touched. All that is known about a replica is
// kept at the managers, so that a balancer finds its replicas again after it was killed.

import Docker from 'dockerode';
import type {
  Address,
  Clock,
  MakeOf,
  PresentReplica,
  ReplicaRef,
  ReplicaRuntime,
  RuntimeNews,
} from '../../../core/ports.ts';
import type { SeatId } from '../../../core/ring/ring.ts';
import { BalancerError, describe } from '../../../errors.ts';
import type { Log } from '../../../log.ts';
import { within } from '../../clock.ts';
import { isMark, Marks } from '../docker/adding.ts';
import { tellIfOther } from '../docker/adopted.ts';
import { LABEL, lastWordsOf, replicaOf } from '../docker/container.ts';
import { attempt, fromEngineError, unlessGone } from '../docker/errors.ts';
import { answerThatHeld, checkNotHeld } from '../docker/hold.ts';
import {
  buildIfMissing,
  type Exposed,
  exposedBy,
  type ImageSource,
  imageName,
  madeOf,
  portOf,
} from '../docker/image.ts';
import type { Notes } from '../docker/notes.ts';
import { Starts } from '../starts.ts';
import { type FleetService, type FleetView, viewFleet } from './fleet-view.ts';
import { configNotes } from './notes.ts';
import { Secrets } from './secrets.ts';
import { compared, type ServiceSpec, type SwarmSettings, serviceSpec } from './service.ts';
import { DoubtfulNodes, startService } from './starting.ts';
import { stopServices } from './stopping.ts';
import { hasEnded, type SwarmTask, stateOf } from './task.ts';
import { watchServices } from './watch.ts';

export interface SwarmRuntimeOptions extends SwarmSettings {
  readonly image: ImageSource;
  readonly makeOf?: MakeOf;
  readonly clock: Clock;
  readonly log: Log;
  /** Another process of ours holds the fleet, and is about to hand it over. */
  readonly takesOver?: boolean;
}

// A manager that hangs must not block a stop for ever; a build of an image may take longer.
const CALL_TIMEOUT_MS = 10_000;
const BUILD_TIMEOUT_MS = 60_000;
const LAST_WORDS_MS = 1000;
// A balancer that runs looks every second whether it is asked.
const LONGEST_ANSWER_MS = 2500;
const late = () => new Error('it takes too long');

/**
 * `begin` rejects with `runtime-unavailable` if the engine manages no Swarm. It builds the replicas' image if that is
 * missing.
 */
export function createSwarmRuntime(options: SwarmRuntimeOptions): ReplicaRuntime {
  return new SwarmRuntime(options, new Docker({ timeout: CALL_TIMEOUT_MS }));
}

class SwarmRuntime implements ReplicaRuntime {
  readonly awaited = 'its task did not run';
  readonly #options: SwarmRuntimeOptions;
  readonly #docker: Docker;
  readonly #closed = new AbortController();
  readonly #notes: Notes;
  readonly #marks: Marks;
  readonly #doubtful: DoubtfulNodes;
  readonly #secrets: Secrets;
  readonly #starts: Starts;
  // What was seen last of each of them.
  readonly #seen = new Map<number, SwarmTask>();
  // Those that are to end, by incarnation, until nothing is to be done about them any more.
  readonly #ending = new Set<number>();
  // With the port that the image says, if it is for the image to say.
  #settings: SwarmSettings;
  // Ids of the services that have been reported as ignored.
  readonly #ignored = new Set<string>();
  #hasBegun = false;
  #hasListed = false;

  constructor(options: SwarmRuntimeOptions, docker: Docker) {
    this.#options = options;
    this.#starts = new Starts(options.clock);
    this.#settings = options;
    this.#docker = docker;
    this.#notes = configNotes(docker);
    this.#marks = new Marks(this.#notes);
    this.#doubtful = new DoubtfulNodes(options.clock);
    this.#secrets = new Secrets(docker);
  }

  async begin(): Promise<void> {
    const { fleet, image, clock, log, port, takesOver = false } = this.#options;
    const { Swarm } = (await attempt('reach Docker', () => this.#docker.info())) as SwarmInfo;
    if (Swarm?.ControlAvailable !== true) {
      const advice = 'docker swarm init makes it one, or set DOCKER_HOST to a manager';
      throw new BalancerError('runtime-unavailable', `this Docker Engine manages no Swarm: ${advice}`);
    }
    const builder = new Docker({ timeout: BUILD_TIMEOUT_MS });
    if (image.type === 'checkout') await attempt('prepare the image', () => buildIfMissing(builder, image, log));
    const name = imageName(image);
    this.#settings = { ...this.#options, port: portOf(name, await this.#exposedOf(name), port) };
    // Whether the secrets are there is told before anything is begun.
    this.#hasBegun = true;
    await this.#secrets.filesOf(this.#settings);
    if (takesOver) return;
    await checkNotHeld({ notes: this.#notes, fleet, clock, longestAnswerMs: LONGEST_ANSWER_MS });
    await this.#secrets.removeUnused(fleet, true);
    for (const { service, replica, address } of this.#ours(await this.#look())) {
      if (address === undefined) continue;
      const { made, now } = compared(service, replica, name, this.#settings);
      tellIfOther(replica, made, now, log);
    }
  }

  start(replica: ReplicaRef, signal: AbortSignal): Promise<Address> {
    return this.#starts.track(replica, this.#start(replica, signal), () => this.#seen.delete(replica.incarnation));
  }

  seen({ incarnation }: ReplicaRef): string | undefined {
    const task = this.#seen.get(incarnation);
    return task && stateOf(task);
  }

  async #start(replica: ReplicaRef, signal: AbortSignal): Promise<Address> {
    signal.throwIfAborted();
    const { image, settings } = await madeOf((name) => this.#exposedOf(name), replica, this.#options, this.#settings);
    const secrets = await this.#secrets.filesOf(settings);
    return startService({
      look: () => this.#look(),
      create: (avoided) => this.#create(replica, serviceSpec(replica, image, settings, secrets, avoided)),
      remove: (id) => this.#docker.getService(id).remove().catch(unlessGone),
      lastWords: (id) => this.#lastWords(id),
      seen: (task) => this.#seen.set(replica.incarnation, task),
      isEnding: ({ incarnation }) => this.#ending.has(incarnation),
      doubtful: this.#doubtful,
      clock: this.#options.clock,
      signal,
    });
  }

  async stop(replica: ReplicaRef): Promise<void> {
    const { clock, log, graceMs } = this.#options;
    this.#ending.add(replica.incarnation);
    await this.#starts.ended(replica);
    const node = await stopServices({ docker: this.#docker, replica, look: () => this.#look(), clock, graceMs });
    this.#ending.delete(replica.incarnation);
    if (node === undefined) return;
    const reason = 'its node does not tell that it has ended: the Swarm ends it there when that node is back';
    log.warn('service-left', { hostname: replica.hostname, node, reason });
  }

  async list(): Promise<readonly PresentReplica[]> {
    const { fleet } = this.#options;
    const what = 'look what other balancers have left';
    const notes = this.#hasListed ? [] : await this.#notes.find(what, `${LABEL.fleet}=${fleet}`);
    // A mark may only go once it is known what the change that it stands for has made.
    const ours = this.#ours(await this.#look());
    // Only a mark that is found by the first list was left by another process.
    this.#hasListed = true;
    const isFinished = await this.#marks.heed(notes.filter(({ labels }) => isMark(labels)));
    return ours.map(({ service, replica, task, address }) => {
      const untried =
        address === undefined && (task === undefined || !hasEnded(task)) ? { untried: true as const } : {};
      const ageMs = Date.now() - Date.parse(service.CreatedAt ?? '');
      return { replica, address, ...untried, ageMs, isUnfinished: !isFinished(replica.seat) };
    });
  }

  announce(seats: readonly SeatId[]): Promise<() => Promise<void>> {
    return this.#marks.announce(this.#options.fleet, seats);
  }

  watch(listener: (news: RuntimeNews) => void): () => void {
    const stopped = new AbortController();
    const look = async () => {
      const [view] = await Promise.all([this.#look(), this.#answer()]);
      return view;
    };
    void watchServices({
      ...{ look, listener, clock: this.#options.clock, log: this.#options.log },
      lastWords: (id) => this.#lastWords(id),
      signal: AbortSignal.any([stopped.signal, this.#closed.signal]),
    });
    return () => stopped.abort();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    if (this.#hasBegun) await this.#secrets.removeUnused(this.#options.fleet, false);
  }

  async #create({ hostname }: ReplicaRef, spec: ServiceSpec): Promise<string> {
    try {
      return (await this.#docker.createService(spec)).id;
    } catch (error) {
      const { statusCode } = error as { statusCode?: number };
      if (statusCode === 409) throw await this.#nameTaken(hostname, error);
      if (statusCode === 400) {
        throw new BalancerError('name-refused', `the Swarm refuses it: ${describe(error)}`, { cause: error });
      }
      throw fromEngineError(`create ${hostname}`, error);
    }
  }

  // If a service of this fleet holds the name, an earlier start left it: it is removed, and the start is tried again
  // later.
  async #nameTaken(hostname: string, cause: unknown): Promise<BalancerError> {
    const holder = this.#docker.getService(hostname);
    const { Spec } = ((await holder.inspect().catch(() => undefined)) ?? {}) as Docker.Service;
    const labels = Spec?.Labels ?? {};
    const fleet = labels[LABEL.fleet];
    if (fleet === this.#options.fleet && replicaOf(labels, Spec?.Name) !== undefined) {
      await holder.remove().catch(() => undefined);
      return new BalancerError('start-failed', 'the service that had its name had to be removed first', { cause });
    }
    const whose = fleet === undefined ? 'one which is not ours' : `one which belongs to the fleet ${fleet}`;
    const advice =
      fleet === undefined ? `choose another name, or remove it (docker service rm ${hostname})` : 'choose another name';
    return new BalancerError('name-taken', `the service name ${hostname} is taken by ${whose}: ${advice}`, { cause });
  }

  #look(): Promise<FleetView> {
    return viewFleet(this.#docker, this.#options.fleet, this.#options.network);
  }

  // The services that are replicas of ours. Any other with our label is logged once.
  #ours({ services }: FleetView): (FleetService & { readonly replica: ReplicaRef })[] {
    return services.flatMap((one) => {
      const { replica, service } = one;
      if (replica !== undefined) return [{ ...one, replica }];
      if (!this.#ignored.has(service.ID)) {
        const reason = 'its labels are none that a balancer writes: it is left alone';
        this.#options.log.warn('service-ignored', { name: service.Spec?.Name, id: service.ID, reason });
        this.#ignored.add(service.ID);
      }
      return [];
    });
  }

  // Answers balancers that ask whether somebody holds the fleet.
  async #answer(): Promise<void> {
    const { fleet } = this.#options;
    for (const { id } of await this.#notes.find('look who asks', `${LABEL.asks}=${fleet}`)) {
      await answerThatHeld(this.#notes, id);
    }
  }

  // The image may be known to the nodes alone, who get it from a registry.
  async #exposedOf(image: string): Promise<Exposed> {
    try {
      return await exposedBy(this.#docker)(image);
    } catch (error) {
      if (this.#options.port !== 0) return undefined;
      throw new BalancerError(
        'runtime-unavailable',
        `this manager does not have the image ${image}: docker pull ${image}, or say with --docker-port on which port it listens`,
        { cause: error },
      );
    }
  }

  // Limited in time, because the news of the exit waits for it.
  async #lastWords(taskId: string): Promise<string> {
    // The types know no logs of a task.
    const task = this.#docker.getTask(taskId) as unknown as Pick<Docker.Container, 'logs'>;
    return within(this.#options.clock, LAST_WORDS_MS, (signal) => lastWordsOf(task, signal), late).catch(() => '');
  }
}

interface SwarmInfo {
  readonly Swarm?: { readonly ControlAvailable?: boolean };
}
