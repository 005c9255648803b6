// The upgrade as the balancer that is replaced sees it: starts the next process, hands over to it, and ends in order.
// Until the next one has said that all is its own, every step can be undone, and nothing of it costs a request.

import { fstatSync } from 'node:fs';
import type { DataPlane } from '../core/plane-ports.ts';
import type { LetGo, ReplicaRuntime } from '../core/ports.ts';
import { asBalancerError, BalancerError, describe } from '../errors.ts';
import { realClock, within } from '../fleet/clock.ts';
import type { Pause } from '../fleet/pause.ts';
import type { Roll } from '../fleet/roll.ts';
import type { Supervisor } from '../fleet/supervisor.ts';
import type { Log } from '../log.ts';
import { descriptorsOf, HANDOVER_VERSION, type HandedService, type Handover, handoverText } from './handover.ts';
import type { Ending } from './messages.ts';
import { type NextProcess, startNext } from './next-process.ts';

/** Does something in its turn among the changes of the fleet. */
type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

type HandOver = (next: NextProcess, files: string) => Promise<Taken | undefined>;

/** What is handed over, and what is told of it. */
export interface SuccessionParts {
  readonly plane: DataPlane;
  readonly runtime: ReplicaRuntime;
  readonly supervisor: Supervisor;
  readonly adminDescriptor: () => number | undefined;
  readonly service: HandedService;
  readonly roll: Roll;
  readonly pause: Pause;
  readonly drawnToken: string | undefined;
  readonly log: Log;
}

export interface SuccessionTerms {
  /** With which this process was started. */
  readonly environment: NodeJS.ProcessEnv;
  /** For the next process to begin, in ms. */
  readonly startTimeoutMs: number;
  /** Why this process cannot be replaced, whatever happens; `undefined` if it can. */
  readonly never: string | undefined;
}

/** What an upgrade has come to. */
export interface Taken {
  /** The process that has taken over, and the one before it. */
  readonly pid: number;
  readonly before: number;
  readonly replicas: number;
  readonly sockets: number;
  /** Connections of clients that the one before had at that moment. */
  readonly connections: number;
}

// A replica may come up while the next process begins: then that one has not inherited what it writes.
const MOST_ATTEMPTS = 3;
// A program that has begun takes over in a fraction of this. No replica is replaced meanwhile.
const TAKE_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 20;
const TELL_EVERY_MS = 250;

export class Succession {
  readonly #parts: SuccessionParts;
  readonly #terms: SuccessionTerms;
  #next: NextProcess | undefined;
  #hasTaken = false;
  #connections = 0;

  constructor(parts: SuccessionParts, terms: SuccessionTerms) {
    this.#parts = parts;
    this.#terms = terms;
  }

  /**
   * Has another process take over. One call at a time. Throws `upgrade-refused` or `upgrade-failed`, and nothing has
   * changed then.
   * @param inTurn does that during which no change of the fleet may be made.
   * @param onTaken is called at the end of that, when the fleet is no longer this process's.
   */
  async run(inTurn: InTurn, onTaken: () => void): Promise<Taken> {
    const { log } = this.#parts;
    try {
      if (this.#terms.never !== undefined) throw new BalancerError('upgrade-refused', this.#terms.never);
      const taken = await this.#attempts((next, files) => inTurn(() => this.#handOver(next, files, onTaken)));
      log.info('replaced', { ...taken });
      return taken;
    } catch (thrown) {
      const error = asBalancerError(thrown);
      log.error('upgrade-failed', { reason: error.message });
      throw error;
    }
  }

  /** This process ends before the next one has taken over. */
  giveUp(): void {
    if (!this.#hasTaken) void this.#next?.kill();
  }

  /**
   * Ends the data plane in order, and tells the next process of it. Resolves when no connection is left, with what was
   * lost.
   * @param signal is aborted when the grace is over.
   */
  async end(signal: AbortSignal): Promise<Ending> {
    const { plane } = this.#parts;
    const next = this.#next as NextProcess;
    const stateOf = (lost: number, phase: 'ending' | 'ended'): Ending => {
      const left = phase === 'ended' ? 0 : Math.min(plane.connections(), this.#connections);
      return { pid: process.pid, connections: this.#connections, left, lost, phase };
    };
    const tell = (ending: Ending) => next.tell({ type: 'left', ending });
    tell(stateOf(0, 'ending'));
    const stopTelling = realClock.every(TELL_EVERY_MS, () => tell(stateOf(0, 'ending')));
    const lost = await plane.giveWay(signal);
    stopTelling();
    // If this process ended before systemd knows of the other one, the service would seem to have ended.
    await next.says('announced').catch(() => undefined);
    const ending = stateOf(lost, 'ended');
    tell(ending);
    next.detach();
    return ending;
  }

  async #attempts(handOver: HandOver): Promise<Taken> {
    for (let attempt = 1; ; attempt++) {
      const taken = await this.#attempt(handOver);
      if (taken !== undefined) return taken;
      if (attempt === MOST_ATTEMPTS) {
        throw new BalancerError('upgrade-failed', 'each time a replica or a worker came or went meanwhile: try again');
      }
    }
  }

  // `undefined` if the fleet has changed while the next process began.
  async #attempt(handOver: HandOver): Promise<Taken | undefined> {
    const { supervisor, log } = this.#parts;
    await this.#hold();
    const offered = await this.#handover().finally(() => supervisor.goOn());
    const files = filesOf(descriptorsOf(offered));
    const listeners = filesOf(offered.plane.descriptors);
    if (files === undefined) return undefined;
    const next = startNext(descriptorsOf(offered), this.#terms.environment);
    this.#next = next;
    log.info('upgrade-begun', { pid: next.pid });
    try {
      const hasLoaded = await this.#loads(next, () => filesOf(offered.plane.descriptors) === listeners);
      if (hasLoaded) return await handOver(next, files);
    } catch (error) {
      await next.kill();
      throw error;
    }
    await next.kill();
    return undefined;
  }

  // `false` as soon as its listeners are no more those of this process. The listeners of a worker that has ended live
  // on in the next process, which does not accept yet: clients that come there wait until it is ended, and are reset.
  async #loads(next: NextProcess, isSame: () => boolean): Promise<boolean> {
    const changed = Promise.withResolvers<boolean>();
    const stopLooking = realClock.every(LOOK_EVERY_MS, () => isSame() || changed.resolve(false));
    const loaded = inTime(this.#terms.startTimeoutMs, 'did not begin', () => next.says('loaded'));
    return Promise.race([loaded.then(() => true), changed.promise]).finally(stopLooking);
  }

  // @param files that the next process has inherited.
  async #handOver(next: NextProcess, files: string, onTaken: () => void): Promise<Taken | undefined> {
    let letGo: LetGo | undefined;
    try {
      await this.#hold();
      const handover = await this.#handover();
      if (filesOf(descriptorsOf(handover)) !== files) {
        await next.kill();
        this.#parts.supervisor.goOn();
        return undefined;
      }
      next.tell({ type: 'handover', text: handoverText(handover) });
      await inTime(Math.min(TAKE_TIMEOUT_MS, this.#terms.startTimeoutMs), 'did not take over', async () => {
        await next.says('ready');
        letGo = this.#parts.runtime.letGo?.();
        next.tell({ type: 'commit' });
        await next.says('taken');
      });
      const taken = this.#leave(handover, next.pid, letGo);
      onTaken();
      return taken;
    } catch (error) {
      // Whatever it has begun is undone before this process acts again.
      await next.kill();
      letGo?.takeBack();
      this.#parts.supervisor.goOn();
      throw error;
    }
  }

  #leave(handover: Handover, pid: number, letGo: LetGo | undefined): Taken {
    const { plane, supervisor } = this.#parts;
    this.#hasTaken = true;
    letGo?.leave();
    supervisor.letGo();
    this.#connections = plane.connections();
    return {
      pid,
      before: process.pid,
      replicas: handover.state.seats.length,
      sockets: handover.plane.descriptors.length,
      connections: this.#connections,
    };
  }

  #hold(): Promise<void> {
    const { supervisor } = this.#parts;
    const late = () => new BalancerError('upgrade-refused', 'replicas are being started or stopped: try again later');
    return within(realClock, this.#terms.startTimeoutMs, (signal) => supervisor.hold(signal), late);
  }

  async #handover(): Promise<Handover> {
    const { plane, runtime, supervisor, adminDescriptor, service, roll, pause, drawnToken } = this.#parts;
    // What another process would not go on with.
    if (roll.isHalfway) throw new BalancerError('upgrade-refused', 'a roll has not ended: go on with it, or undo it');
    if (pause.leftMs !== undefined) throw new BalancerError('upgrade-refused', 'requests are held back: resume first');
    try {
      const [planes, replicas] = [await plane.handover(), await runtime.handover?.()];
      return {
        version: HANDOVER_VERSION,
        pid: process.pid,
        service,
        plane: planes,
        adminDescriptor: adminDescriptor(),
        replicas,
        state: supervisor.state,
        atMs: realClock.now(),
        made: roll.made,
        drawnToken,
      };
    } catch (error) {
      throw error instanceof BalancerError ? error : new BalancerError('upgrade-refused', describe(error));
    }
  }
}

function inTime(limitMs: number, what: string, work: () => Promise<void>): Promise<void> {
  const late = () =>
    new BalancerError('upgrade-failed', `the next process ${what} within ${limitMs} ms: this one goes on`);
  return within(realClock, limitMs, work, late);
}

// The numbers of descriptors are used again, so the files behind them count too.
// `undefined` if one has been closed meanwhile.
function filesOf(descriptors: readonly number[]): string | undefined {
  try {
    return descriptors.map((fd) => `${fd}:${fstatSync(fd).ino}`).join(' ');
  } catch {
    return undefined;
  }
}
