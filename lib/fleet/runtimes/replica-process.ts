// The process of one replica, from its start, or from when it was taken over, until nothing of its process group runs:
// what it writes, how its program ends, and how the group is ended.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock, LetGo, ReplicaRef } from '../../core/ports.ts';
import { BalancerError, describe, localShortage } from '../../errors.ts';
import { within } from '../clock.ts';
import { OutputTail, withLastWords } from './last-words.ts';
import { groupGone, signalGroup } from './process-group.ts';
import type { ReplicaOutput } from './replica-output.ts';

const LONGEST_LISTENING_MS = 100;
const LAST_LINES = 20;

// A pipe to a child. Undocumented, but in Node since 0.9.
type WithHandle = Readable & {
  readonly _handle?: { readonly fd?: number; readStop(): void; readStart(): void } | null;
};

/** What is run, and how. */
export interface Launch {
  readonly words: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** Working directory; this process's own if it is empty. */
  readonly cwd: string;
}

/** How a program ended. */
export interface Exit {
  /** Its exit code or signal, in words. */
  readonly how: string;
  /** The same with the last thing that it wrote. */
  readonly reason: string;
  /** The same, but of standard output only what says what went wrong: the last line of a service may be any. */
  readonly lateReason: string;
  /** The last lines that it wrote. */
  readonly lastLines: readonly string[];
}

/** A process that runs a replica, and that this process has started, or taken over. */
export interface Running {
  /** `undefined` if no process could be made. */
  readonly pid: number | undefined;
  /** Resolves when its program has ended, with how in words; with an error if no process could be made. */
  readonly ended: Promise<string | Error>;
  /** Somebody has killed it, as far as that is known. */
  readonly wasKilled: boolean;
  /** `null` if no file descriptor was free for it. */
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
}

export class ReplicaProcess {
  /** `undefined` if no process could be made. */
  readonly pid: number | undefined;
  /** How the program ended; an error if no process could be made. */
  readonly exited: Promise<Exit | Error>;
  /** Resolves when nothing of its group runs. */
  readonly gone: Promise<unknown>;
  readonly #clock: Clock;
  readonly #streams: readonly (Readable | null)[];
  #hasExited = false;
  #isGone = false;
  #mayFinish = false;

  constructor(replica: ReplicaRef, running: Running, output: ReplicaOutput, clock: Clock) {
    const { pid, ended } = running;
    this.#clock = clock;
    this.#streams = [running.stdout, running.stderr];
    this.pid = pid;
    const heard = listenTo(running, replica, output, clock);
    this.exited = ended.then(async (how) => {
      if (how instanceof Error) return how;
      // Whoever kills it from outside knows why.
      if (running.wasKilled) return { how, reason: how, lateReason: how, lastLines: heard.lastLines() };
      await heard.all();
      const { stdout, stderr } = heard.tails;
      return {
        how,
        reason: withLastWords(how, stderr.lastWords() || stdout.lastWords()),
        lateReason: withLastWords(how, stderr.lastWords() || stdout.fault()),
        lastLines: heard.lastLines(),
      };
    });
    const groupEnds = ended.then(async () => {
      this.#hasExited = true;
      if (pid === undefined) return;
      // Nobody has asked it to end, so what it has started has lost its program and is of no use.
      if (!this.#mayFinish) signalGroup(pid, 'SIGKILL');
      await groupGone(pid, clock);
      this.#isGone = true;
    });
    this.gone = Promise.all([this.exited, groupEnds]);
  }

  /** The program has ended, though others of its group may not have. */
  get hasExited(): boolean {
    return this.#hasExited;
  }

  /** File descriptors of what it writes. Throws if there are none, or if this version of Node does not tell them. */
  get outputs(): readonly [stdout: number, stderr: number] {
    const [stdout, stderr] = this.#streams.map((stream) => (stream as WithHandle | null)?._handle?.fd);
    if (stdout !== undefined && stderr !== undefined && stdout >= 0 && stderr >= 0) return [stdout, stderr];
    throw new Error(`Node ${process.version} does not tell from where it reads what process ${this.pid} writes`);
  }

  /** Another process is to read what it writes, from the same descriptors. */
  letGo(): LetGo {
    // `pause` would go on reading into the memory of this process.
    for (const stream of this.#streams) (stream as WithHandle | null)?._handle?.readStop();
    return {
      takeBack: () => {
        for (const stream of this.#streams) (stream as WithHandle | null)?._handle?.readStart();
      },
      leave: () => {
        this.#mayFinish = true;
        for (const stream of this.#streams) stream?.destroy();
      },
    };
  }

  /** Asks the group to finish, and kills it after that many ms; at once for 0. Resolves when it is gone. */
  async end(graceMs: number): Promise<void> {
    const { pid } = this;
    // The number of a group that is gone may belong to another by now.
    if (pid === undefined || this.#isGone) {
      await this.gone;
      return;
    }
    if (graceMs > 0) this.#mayFinish = true;
    signalGroup(pid, graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const gone = new AbortController();
    this.#clock.sleep(graceMs, gone.signal).then(
      () => this.#isGone || signalGroup(pid, 'SIGKILL'),
      () => undefined,
    );
    await this.gone;
    gone.abort();
  }
}

/**
 * Starts a replica's process. Throws `start-failed`, or makes `ended` an error, if none can be made: Node does either.
 */
export function startRunning({ words, environment, cwd }: Launch): Running {
  const [program = '', ...args] = words;
  // If no file descriptor is free, the child comes without its streams.
  const child = spawnChild(program, args, {
    // With a process group of its own, a replica does not get the Ctrl-C meant for the balancer, which stops it in
    // order.
    detached: true,
    env: environment,
    ...(cwd === '' ? {} : { cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<string | Error>((resolve) => {
    child.once('error', resolve);
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `killed by ${signal}`));
  });
  const { pid, stdout, stderr } = child;
  return {
    pid,
    ended,
    // Without a descriptor for them they are missing, though their type does not say so.
    stdout: stdout ?? null,
    stderr: stderr ?? null,
    get wasKilled() {
      return child.signalCode !== null;
    },
  };
}

/** The error of a start for which no process, or nothing that it needs, could be made. */
export function notStarted(error: unknown): BalancerError {
  const reason = localShortage(error) ?? describe(error);
  return new BalancerError('start-failed', `it could not be started: ${reason}`, { cause: error });
}

// For some errors Node throws, for others it emits an event. This makes those that it throws a BalancerError.
function spawnChild(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(command, args, options);
  } catch (error) {
    throw notStarted(error);
  }
}

interface Heard {
  /** Resolves when all has been read after the exit, or after a moment if another process still holds a pipe. */
  all(): Promise<unknown>;
  readonly tails: Readonly<Record<'stdout' | 'stderr', OutputTail>>;
  lastLines(): readonly string[];
}

// Shows what the replica writes, and keeps the end of it.
function listenTo(running: Running, replica: ReplicaRef, output: ReplicaOutput, clock: Clock): Heard {
  const both = new OutputTail();
  const tails = { stdout: new OutputTail(), stderr: new OutputTail() };
  const closed = (['stdout', 'stderr'] as const).map((name) => {
    const [sink, stream] = [output.sink(replica, name), running[name]];
    stream?.setEncoding('utf8').on('data', (piece: string) => {
      if (sink === undefined) return;
      tails[name].add(piece);
      both.add(piece);
      sink.write(piece);
    });
    stream?.once('close', () => sink?.end());
    return stream === null ? undefined : new Promise<void>((resolve) => stream.once('close', () => resolve()));
  });
  const late = () => new Error('another process writes on');
  return {
    all: () => within(clock, LONGEST_LISTENING_MS, () => Promise.all(closed), late).catch(() => undefined),
    tails,
    lastLines: () => both.lastLines(LAST_LINES),
  };
}
