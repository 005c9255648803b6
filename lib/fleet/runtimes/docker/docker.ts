// ReplicaRuntime on Docker containers. Labels say which containers are ours, and others are never touched. All that is
// known about a container is kept at the engine, so that a balancer finds its replicas again after it was killed.

import type { Readable } from 'node:stream';
import Docker, { type ContainerInfo } from 'dockerode';
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
import { withLastWords } from '../last-words.ts';
import { Starts } from '../starts.ts';
import { isMark, Marks } from './adding.ts';
import { tellOtherSettings } from './adopted.ts';
import {
  addressOf,
  type ContainerSettings,
  LABEL,
  lastWordsOf,
  replicaIn,
  replicaOf,
  specification,
} from './container.ts';
import { attempt, fromEngineError, unlessGone } from './errors.ts';
import { CONTAINER_EVENTS, watchContainers } from './events.ts';
import { answerThatHeld, checkNotHeld } from './hold.ts';
import { buildIfMissing, exposedBy, type ImageSource, imageName, madeOf, portOf } from './image.ts';
import { containerNotes, type Notes } from './notes.ts';

export interface DockerRuntimeOptions extends ContainerSettings {
  readonly image: ImageSource;
  readonly makeOf?: MakeOf;
  readonly clock: Clock;
  readonly log: Log;
  /** Another process of ours holds the fleet, and is about to hand it over. */
  readonly takesOver?: boolean;
}

// Longer than even a slow engine takes for a call. An engine that hangs must not block a stop for ever.
const CALL_TIMEOUT_MS = 60_000;
// A balancer that runs answers within some hundredths of a second.
const LONGEST_ANSWER_MS = 1000;
const LAST_WORDS_MS = 1000;

/**
 * `begin` rejects with `runtime-unavailable` if the engine does not answer. It builds the replicas' image if that is
 * missing.
 */
export function createDockerRuntime(options: DockerRuntimeOptions): ReplicaRuntime {
  return new DockerRuntime(options, new Docker({ timeout: CALL_TIMEOUT_MS }));
}

class DockerRuntime implements ReplicaRuntime {
  readonly #options: DockerRuntimeOptions;
  readonly #docker: Docker;
  readonly #closed = new AbortController();
  readonly #starts: Starts;
  #building: Promise<void> | undefined;
  // With the port that the image says, if it is for the image to say.
  #settings: ContainerSettings;
  #heldSinceSeconds: number | undefined;
  // Ids of the containers that have been reported as ignored.
  readonly #ignored = new Set<string>();
  readonly #notes: Notes;
  readonly #marks: Marks;
  #hasListed = false;

  constructor(options: DockerRuntimeOptions, docker: Docker) {
    this.#options = options;
    this.#starts = new Starts(options.clock);
    this.#settings = options;
    this.#docker = docker;
    this.#notes = containerNotes(docker, () => imageName(options.image));
    this.#marks = new Marks(this.#notes);
  }

  async begin(): Promise<void> {
    await attempt('reach Docker', () => this.#docker.ping());
    await this.#ensureImage();
    const { fleet, image, clock, log, takesOver = false } = this.#options;
    const name = imageName(image);
    const { Id, Config } = await attempt('look at the image', () => this.#docker.getImage(name).inspect());
    this.#settings = { ...this.#options, port: portOf(name, Config?.ExposedPorts, this.#options.port) };
    if (takesOver) return;
    const question = { notes: this.#notes, fleet, clock, longestAnswerMs: LONGEST_ANSWER_MS };
    this.#heldSinceSeconds = await checkNotHeld(question);
    const found = this.#replicas(await this.#list(undefined));
    await tellOtherSettings(this.#docker, found, Id, this.#settings, log);
  }

  start(replica: ReplicaRef, signal: AbortSignal): Promise<Address> {
    return this.#starts.track(replica, this.#start(replica, signal));
  }

  async #start(replica: ReplicaRef, signal: AbortSignal): Promise<Address> {
    signal.throwIfAborted();
    const container = await this.#create(replica);
    try {
      // A create cannot be cancelled. If the start was given up meanwhile, the container is removed here.
      signal.throwIfAborted();
      await attempt(`start ${replica.hostname}`, () => container.start());
      signal.throwIfAborted();
      const address = (await this.#find(replica.incarnation)).map((info) => this.#addressOf(info))[0];
      if (address === undefined) {
        const end = withLastWords('it ended as soon as it was started', await this.#lastWords(container.id));
        throw new BalancerError('start-failed', end);
      }
      return address;
    } catch (error) {
      await container.remove({ force: true, v: true }).catch(() => undefined);
      throw error;
    }
  }

  async stop(replica: ReplicaRef, graceMs: number): Promise<void> {
    await this.#starts.ended(replica);
    for (const { Id, State } of await this.#find(replica.incarnation)) {
      const container = this.#docker.getContainer(Id);
      if (graceMs > 0 && State === 'running') {
        const t = Math.ceil(graceMs / 1000);
        await attempt(`stop ${replica.hostname}`, () => container.stop({ t }).catch(unlessGone));
      }
      await attempt(`remove ${replica.hostname}`, () => container.remove({ force: true, v: true }).catch(unlessGone));
    }
  }

  async list(): Promise<readonly PresentReplica[]> {
    const all = await this.#list(undefined);
    // Only a mark that is found by the first list was left by another process.
    const left = this.#hasListed ? [] : all.filter(({ Labels }) => isMark(Labels));
    this.#hasListed = true;
    const isFinished = await this.#marks.heed(left.map(({ Id, Labels }) => ({ id: Id, labels: Labels })));
    return this.#replicas(all).map(({ info, replica }) => {
      const untried = info.State === 'created' ? { untried: true as const } : {};
      const ageMs = Date.now() - 1000 * info.Created;
      return { replica, address: this.#addressOf(info), ...untried, ageMs, isUnfinished: !isFinished(replica.seat) };
    });
  }

  announce(seats: readonly SeatId[]): Promise<() => Promise<void>> {
    return this.#marks.announce(this.#options.fleet, seats);
  }

  watch(listener: (news: RuntimeNews) => void): () => void {
    const stopped = new AbortController();
    const signal = AbortSignal.any([stopped.signal, this.#closed.signal]);
    // A client without the time limit of the other calls, since there may be no event for days.
    const docker = new Docker();
    const filters = {
      type: ['container'],
      event: CONTAINER_EVENTS,
      label: [`${LABEL.fleet}=${this.#options.fleet}`],
    } as const;
    void watchContainers({
      since: this.#heldSinceSeconds?.toString(),
      open: async (sinceSeconds) => {
        const since = sinceSeconds === undefined ? {} : { since: sinceSeconds as unknown as number };
        const options = { ...since, filters, abortSignal: signal } as unknown as Docker.GetEventsOptions;
        return (await docker.getEvents(options)) as unknown as Readable;
      },
      replicaOf,
      lastWords: (id) => this.#lastWords(id),
      asked: (id) => void answerThatHeld(this.#notes, id),
      listener,
      clock: this.#options.clock,
      log: this.#options.log,
      signal,
    });
    return () => stopped.abort();
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  async #create(replica: ReplicaRef): Promise<Docker.Container> {
    const { image, settings } = await madeOf(exposedBy(this.#docker), replica, this.#options, this.#settings);
    const create = () => this.#docker.createContainer(specification(replica, image, settings));
    try {
      return await create();
    } catch (error) {
      const { statusCode } = error as { statusCode?: number };
      // The image was removed while the balancer ran.
      if (statusCode === 404) {
        await this.#ensureImage();
        return attempt(`create ${replica.hostname}`, create);
      }
      if (statusCode === 409) throw await this.#nameTaken(replica, error);
      if (statusCode === 400)
        throw new BalancerError('name-refused', `Docker refuses it: ${describe(error)}`, { cause: error });
      throw fromEngineError(`create ${replica.hostname}`, error);
    }
  }

  // If a container of this fleet holds the name, an earlier start left it: it is removed, and the start is tried again
  // later.
  async #nameTaken({ hostname }: ReplicaRef, cause: unknown): Promise<BalancerError> {
    const holder = await this.#docker
      .getContainer(hostname)
      .inspect()
      .catch(() => undefined);
    const labels = holder?.Config.Labels ?? {};
    const fleet = labels[LABEL.fleet];
    if (holder !== undefined && fleet === this.#options.fleet && replicaOf(labels, hostname) !== undefined) {
      await this.#docker
        .getContainer(holder.Id)
        .remove({ force: true, v: true })
        .catch(() => undefined);
      return new BalancerError('start-failed', 'the container that had its name had to be removed first', { cause });
    }
    const whose = fleet === undefined ? 'which is not ours' : `which belongs to the fleet ${fleet}`;
    // Removing it is not advised if that would end a replica of another balancer.
    const advice =
      fleet === undefined ? `choose another name, or remove it (docker rm -f ${hostname})` : 'choose another name';
    return new BalancerError(
      'name-taken',
      `the container name ${hostname} is taken by ${holder?.Id.slice(0, 12) ?? 'another container'}, ${whose}: ${advice}`,
      { cause },
    );
  }

  async #find(incarnation: number | undefined): Promise<ContainerInfo[]> {
    return this.#replicas(await this.#list(incarnation)).map(({ info }) => info);
  }

  #list(incarnation: number | undefined): Promise<ContainerInfo[]> {
    const label = [`${LABEL.fleet}=${this.#options.fleet}`];
    if (incarnation !== undefined) label.push(`${LABEL.incarnation}=${incarnation}`);
    return attempt('list containers', () => this.#docker.listContainers({ all: true, filters: { label } }));
  }

  // The containers that are replicas of ours. Any other with our label is logged once.
  #replicas(containers: readonly ContainerInfo[]): { info: ContainerInfo; replica: ReplicaRef }[] {
    return containers.flatMap((info) => {
      const replica = replicaIn(info);
      if (replica !== undefined) return [{ info, replica }];
      if (info.Labels[LABEL.asks] === undefined && !isMark(info.Labels) && !this.#ignored.has(info.Id)) {
        const reason = 'it was renamed, or its labels are none that a balancer writes: it is left alone';
        this.#options.log.warn('container-ignored', {
          name: info.Names[0]?.slice(1),
          id: info.Id.slice(0, 12),
          reason,
        });
        this.#ignored.add(info.Id);
      }
      return [];
    });
  }

  #addressOf(info: ContainerInfo): Address | undefined {
    return addressOf(info, this.#options.network);
  }

  // Limited in time, because the news of the exit waits for it.
  async #lastWords(id: string): Promise<string> {
    const late = () => new Error('it takes too long');
    const read = (signal: AbortSignal) => lastWordsOf(this.#docker.getContainer(id), signal);
    return within(this.#options.clock, LAST_WORDS_MS, read, late).catch(() => '');
  }

  // Runs one build at a time, however many starts wait for it.
  #ensureImage(): Promise<void> {
    this.#building ??= attempt('prepare the image', () =>
      buildIfMissing(this.#docker, this.#options.image, this.#options.log),
    ).finally(() => {
      this.#building = undefined;
    });
    return this.#building;
  }
}
