// ReplicaRuntime on child processes, which needs nothing installed. Each replica listens on a Unix domain socket in a
// directory that only this user may enter: this saves a third of the cost of a request, and nothing else can connect.
// If this process is killed, a guardian ends the replicas, and so does the kernel where it supports that.

import assert from 'node:assert/strict';
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { lstat, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, Clock, PresentReplica, ReplicaRef, ReplicaRuntime, RuntimeNews } from '../../core/ports.ts';
import { BalancerError, describe, localShortage } from '../../errors.ts';
import { within } from '../clock.ts';
import { type Guardian, startGuardian } from './guardian.ts';
import { OutputTail, withLastWords } from './last-words.ts';

// sockaddr_un holds 108 bytes on Linux and 104 elsewhere; the name of a socket needs some of them.
const LONGEST_DIRECTORY_BYTES = 80;
const MOST_UNREAD_BYTES = 65_536;
const LONGEST_LISTENING_MS = 100;

export interface ProcessRuntimeOptions {
  /** The script that Node runs for each replica. */
  readonly script: string;
  /** Environment of the replicas, besides their own SERVER_ID and LISTEN. */
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  readonly clock: Clock;
}

interface Child {
  readonly replica: ReplicaRef;
  readonly address: Address;
  readonly process: ChildProcess;
  /** How the process ended; an error if it was never started. */
  readonly exited: Promise<string | Error>;
}

/** `begin` rejects if no private directory can be made. */
export function createProcessRuntime(options: ProcessRuntimeOptions): ReplicaRuntime {
  return new ProcessRuntime(options);
}

/** What the runtime holds from `begin` to `close`. */
interface Hold {
  readonly directory: string;
  readonly guardian: Guardian;
  readonly launcher: readonly [string, ...string[]];
}

class ProcessRuntime implements ReplicaRuntime {
  readonly #options: ProcessRuntimeOptions;
  #hold: Promise<Hold> | undefined;
  readonly #children = new Map<number, Child>();
  readonly #listeners = new Set<(news: RuntimeNews) => void>();

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
  }

  async begin(): Promise<void> {
    this.#hold = takeHold(this.#options.clock);
    await this.#hold;
  }

  async start(replica: ReplicaRef, signal: AbortSignal): Promise<Address> {
    signal.throwIfAborted();
    const hold = await (this.#hold ?? neverBegun());
    await ensurePrivate(hold.directory);
    // Whoever gave it up has already asked for its end, so nobody would end a process that is made now.
    signal.throwIfAborted();
    const child = this.#spawn(replica, hold);
    const abort = () => child.process.kill('SIGKILL');
    signal.addEventListener('abort', abort, { once: true });
    try {
      // The first output of a replica says that it listens.
      await Promise.race([
        new Promise((resolve) => child.process.stdout?.once('data', resolve)),
        child.exited.then((how) => {
          throw how instanceof Error
            ? notStarted(how)
            : new BalancerError('start-failed', `it ended before it listened: ${how}`);
        }),
      ]);
      signal.throwIfAborted();
      return child.address;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async stop(replica: ReplicaRef, graceMs: number): Promise<void> {
    const child = this.#children.get(replica.incarnation);
    if (child === undefined) return;
    child.process.kill(graceMs > 0 ? 'SIGTERM' : 'SIGKILL');
    const ended = new AbortController();
    this.#options.clock.sleep(graceMs, ended.signal).then(
      () => child.process.kill('SIGKILL'),
      () => undefined,
    );
    await child.exited;
    ended.abort();
  }

  pidOf({ incarnation }: ReplicaRef): number | undefined {
    return this.#children.get(incarnation)?.process.pid;
  }

  list(): Promise<readonly PresentReplica[]> {
    return Promise.resolve([...this.#children.values()].map(({ replica, address }) => ({ replica, address })));
  }

  watch(listener: (news: RuntimeNews) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    const children = [...this.#children.values()];
    for (const child of children) child.process.kill('SIGKILL');
    await Promise.all(children.map((child) => child.exited));
    // Waits for a `begin` that is under way, which would otherwise leave its directory behind.
    const hold = await this.#hold?.catch(() => undefined);
    if (hold === undefined) return;
    hold.guardian.release();
    await rm(hold.directory, { recursive: true, force: true });
  }

  #spawn(replica: ReplicaRef, { directory, guardian, launcher }: Hold): Child {
    const path = join(directory, `${replica.incarnation}.sock`);
    const [command, ...leading] = launcher;
    // If no file descriptor is free, the child comes without its streams.
    const child = spawnChild(command, [...leading, '--disable-sigusr1', this.#options.script], {
      // With a process group of its own, a replica does not get the Ctrl-C meant for the balancer, which stops it in
      // order.
      detached: true,
      env: { ...this.#options.environment, SERVER_ID: replica.hostname, LISTEN: `unix:${path}` },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const lastWords = listenTo(child, this.#options.clock);
    const exited = new Promise<string | Error>((resolve) => {
      child.once('error', resolve);
      child.once('exit', async (code, signal) => {
        if (signal !== null) resolve(`killed by ${signal}`);
        else resolve(withLastWords(`exit code ${code}`, await lastWords()));
      });
    });
    const { pid } = child;
    if (pid !== undefined) guardian.guard(pid);
    const entry: Child = { replica, address: { type: 'unix', path }, process: child, exited };
    this.#children.set(replica.incarnation, entry);
    void exited.then((how) => {
      if (pid !== undefined) guardian.forget(pid);
      this.#children.delete(replica.incarnation);
      void rm(path, { force: true });
      // No process was started, so there is no exit to tell; `start` itself rejects.
      if (pid === undefined) return;
      const reason = how instanceof Error ? how.message : how;
      for (const listener of this.#listeners) listener({ type: 'exited', replica, reason });
    });
    return entry;
  }
}

async function takeHold(clock: Clock): Promise<Hold> {
  const base = Buffer.byteLength(tmpdir()) <= LONGEST_DIRECTORY_BYTES ? tmpdir() : '/tmp';
  // mkdtemp creates it with mode 0700.
  const directory = await mkdtemp(join(base, 'ringmaster-'));
  return { directory, guardian: startGuardian(directory, clock), launcher: launcher() };
}

function neverBegun(): never {
  assert.fail('a runtime starts replicas once it has begun');
}

// For some errors Node throws, for others it emits an event. This makes both a BalancerError.
function spawnChild(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(command, args, options);
  } catch (error) {
    throw notStarted(error);
  }
}

function notStarted(error: unknown): BalancerError {
  const reason = localShortage(error) ?? describe(error);
  return new BalancerError('start-failed', `it could not be started: ${reason}`, { cause: error });
}

// A cleaner of /tmp may have removed the directory. The attack: another user then makes one of that name, to sit
// between balancer and replicas (test/fleet/processes.test.ts). So it has to belong to this user alone.
async function ensurePrivate(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw new BalancerError('start-failed', `cannot make ${directory}: ${error.message}`);
  });
  const found = await lstat(directory);
  if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
    throw new BalancerError(
      'start-failed',
      `${directory}, for the sockets of replicas, is not this user’s alone: remove it`,
    );
  }
}

// Has the kernel end a replica with this process, where setpriv of util-linux is installed (that of busybox cannot do
// it), because the guardian may be killed a moment earlier. The replica itself need not know of it.
function launcher(): readonly [string, ...string[]] {
  const endsWithParent = ['--pdeathsig', 'KILL', '--'];
  const works = spawnSync('setpriv', [...endsWithParent, 'true'], { stdio: 'ignore', timeout: 1000 }).status === 0;
  return works ? ['setpriv', ...endsWithParent, process.execPath] : [process.execPath];
}

// Passes on what the replica writes to standard error, and keeps the end of it. The returned function resolves when all
// has been read after the exit, or after a moment if a child of the replica still holds the pipe.
function listenTo(child: ChildProcess, clock: Clock): () => Promise<string> {
  const said = new OutputTail();
  const written = new OutputTail();
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    said.add(piece);
    // If nobody reads our standard error, a talkative replica must not fill the memory.
    if (process.stderr.writableLength < MOST_UNREAD_BYTES) process.stderr.write(piece);
  });
  // The first piece of standard output only says that the replica listens.
  child.stdout?.setEncoding('utf8').once('data', () => child.stdout?.on('data', (piece: string) => written.add(piece)));
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  return async () => {
    const late = () => new Error('somebody else writes on');
    await within(clock, LONGEST_LISTENING_MS, () => closed, late).catch(() => undefined);
    return said.lastWords() || written.lastWords();
  };
}
