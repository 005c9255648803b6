// ReplicaRuntime on child processes, which needs nothing installed. A replica runs a command: the sample service, or
// one that knows nothing of us. It listens on a free port of the loopback interface, or on a Unix domain socket in a
// directory that only this user may enter: this saves a third of the cost of a request, and nothing else can connect.
// If this process is killed, a guardian ends the replicas.

import assert from 'node:assert/strict';
import { lstat, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  Address,
  Clock,
  HandedReplicas,
  LetGo,
  MakeOf,
  PresentReplica,
  ReplicaRef,
  ReplicaRuntime,
  RuntimeNews,
} from '../../core/ports.ts';
import { BalancerError } from '../../errors.ts';
import { checkCommand, type OwnValues, variablesWith, withOwnValues } from './command.ts';
import { type Guardian, startGuardians } from './guardian.ts';
import { runningProcess } from './process-group.ts';
import { freePort, LOOPBACK, loopbackAddresses, untilListens } from './readiness.ts';
import type { ReplicaOutput } from './replica-output.ts';
import { notStarted, ReplicaProcess, type Running, startRunning } from './replica-process.ts';
import { takeOver } from './taken-over.ts';

// sockaddr_un holds 108 bytes on Linux and 104 elsewhere; the name of a socket needs some of them.
const LONGEST_DIRECTORY_BYTES = 80;

export interface ProcessRuntimeOptions {
  /** The program that each replica runs, and its arguments, with `{port}`, `{socket}`, `{id}` and `{seat}` in them. */
  readonly command: readonly [string, ...string[]];
  /** Environment that the replicas have in common. */
  readonly environment: Readonly<NodeJS.ProcessEnv>;
  /** More of it, with `{port}` and so on in the values. */
  readonly variables: ReadonlyMap<string, string>;
  /** Working directory of the replicas; this process's own if it is empty. */
  readonly cwd: string;
  /** What a replica listens on: a port, or a Unix socket. */
  readonly listens: 'port' | 'socket';
  readonly output: ReplicaOutput;
  readonly clock: Clock;
  /** Gives a whole number below its argument. */
  readonly random: (limit: number) => number;
  readonly makeOf?: MakeOf;
  /** Replicas of another process, which `claim` takes. */
  readonly handed?: HandedReplicas | undefined;
}

interface Child {
  readonly replica: ReplicaRef;
  readonly process: ReplicaProcess;
  /** Where it listens; before that is known, where it should. */
  address: Address;
  isListening: boolean;
}

/** What the runtime holds from `begin` to `close`. */
interface Hold {
  readonly directory: string;
  /** `undefined` until the replicas of another process are claimed: that one guards them. */
  readonly guardian: Guardian | undefined;
}

/** `begin` rejects if there is no such program, or if no private directory can be made. */
export function createProcessRuntime(options: ProcessRuntimeOptions): ReplicaRuntime {
  return new ProcessRuntime(options);
}

class ProcessRuntime implements ReplicaRuntime {
  readonly awaited: string;
  readonly #options: ProcessRuntimeOptions;
  #hold: Promise<Hold> | undefined;
  #hasLeft = false;
  readonly #children = new Map<number, Child>();
  // Ports that were given away, by the incarnations of those that have them.
  readonly #ports = new Map<number, number>();
  readonly #listeners = new Set<(news: RuntimeNews) => void>();

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    this.awaited = `it did not listen on the ${options.listens} that it was given (PORT)`;
  }

  async begin(): Promise<void> {
    this.#hold = takeHold(this.#options);
    await this.#hold;
  }

  async start(replica: ReplicaRef, signal: AbortSignal): Promise<Address> {
    signal.throwIfAborted();
    const hold = await (this.#hold ?? neverBegun());
    const addresses = await this.#addressesFor(replica, hold);
    const child = this.#launch(replica, addresses, hold, signal);
    const waiting = new AbortController();
    const giveUp = () => waiting.abort(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      const ended = child.process.exited.then((exit) => {
        if (exit instanceof Error) throw notStarted(exit);
        if (!waiting.signal.aborted) this.#options.output.showLast(replica, [...exit.lastLines, exit.how]);
        throw new BalancerError('start-failed', `it ended before it listened: ${exit.reason}`);
      });
      const listening = untilListens(addresses, this.#options.clock, waiting.signal).then((address) => {
        child.isListening = true;
        child.address = address;
      });
      await Promise.race([listening, ended]);
      return child.address;
    } catch (error) {
      await child.process.end(0);
      throw error;
    } finally {
      signal.removeEventListener('abort', giveUp);
      waiting.abort();
    }
  }

  async stop(replica: ReplicaRef, graceMs: number): Promise<void> {
    await this.#children.get(replica.incarnation)?.process.end(graceMs);
  }

  pidOf({ incarnation }: ReplicaRef): number | undefined {
    return this.#children.get(incarnation)?.process.pid;
  }

  async handover(): Promise<HandedReplicas> {
    const { directory } = await (this.#hold ?? neverBegun());
    const processes = [...this.#children.values()].map(async ({ replica, process, address, isListening }) => {
      const found = process.pid === undefined ? undefined : await runningProcess(process.pid);
      if (found === 'unknown') {
        throw new BalancerError('upgrade-refused', 'this process has no file descriptor left: try again later');
      }
      if (!isListening || process.pid === undefined || found === undefined) {
        throw new BalancerError('upgrade-refused', `${replica.hostname} is coming up or has ended`);
      }
      const [stdout, stderr] = process.outputs;
      return { replica, address, pid: process.pid, startTicks: found.startTicks, stdout, stderr };
    });
    return { directory, processes: await Promise.all(processes) };
  }

  letGo(): LetGo {
    const all = [...this.#children.values()].map(({ process }) => process.letGo());
    return {
      takeBack: () => {
        for (const one of all) one.takeBack();
      },
      leave: () => {
        this.#hasLeft = true;
        for (const one of all) one.leave();
        this.#children.clear();
        void this.#hold?.then(({ guardian }) => guardian?.leave());
      },
    };
  }

  claim(): void {
    const { handed, output, clock } = this.#options;
    if (handed === undefined) return;
    const hold: Hold = { directory: handed.directory, guardian: startGuardians(handed.directory, clock) };
    this.#hold = Promise.resolve(hold);
    for (const one of handed.processes) {
      const { replica, address } = one;
      if (address.type === 'tcp') this.#ports.set(replica.incarnation, address.port);
      const process = new ReplicaProcess(replica, takeOver(one, clock), output, clock);
      this.#follow({ replica, address, process, isListening: true }, hold);
    }
  }

  list(): Promise<readonly PresentReplica[]> {
    return Promise.resolve(
      [...this.#children.values()].map(({ replica, process, address }) => ({
        replica,
        address: process.hasExited ? undefined : address,
      })),
    );
  }

  watch(listener: (news: RuntimeNews) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children.values()].map((child) => child.process.end(0)));
    // Waits for a `begin` that is under way, which would otherwise leave its directory behind.
    const hold = await this.#hold?.catch(() => undefined);
    // The replicas that there are may be those of another process.
    if (hold?.guardian === undefined || this.#hasLeft) return;
    hold.guardian.release();
    await rm(hold.directory, { recursive: true, force: true });
  }

  async #addressesFor({ incarnation }: ReplicaRef, { directory }: Hold): Promise<readonly [Address, ...Address[]]> {
    if (this.#options.listens === 'port') return loopbackAddresses(await this.#takePort(incarnation));
    await ensurePrivate(directory);
    return [{ type: 'unix', path: join(directory, `${incarnation}.sock`) }];
  }

  // A port that was given to a replica may be free until that replica listens on it.
  async #takePort(incarnation: number): Promise<number> {
    for (;;) {
      const port = await freePort(this.#options.random).catch((error) => {
        throw notStarted(error);
      });
      if ([...this.#ports.values()].includes(port)) continue;
      this.#ports.set(incarnation, port);
      return port;
    }
  }

  #launch(replica: ReplicaRef, addresses: readonly [Address, ...Address[]], hold: Hold, signal: AbortSignal): Child {
    const { incarnation } = replica;
    const { cwd, output, clock, makeOf } = this.#options;
    const { command = this.#options.command, environment = {} } = makeOf?.(replica.seat) ?? {};
    const own = ownValues(replica, addresses[0]);
    const words = [command[0], ...command.slice(1).map((word) => withOwnValues(word, own))];
    let running: Running;
    try {
      // Whoever gave it up has already asked for its end, so nobody would end a process that is made now.
      signal.throwIfAborted();
      running = startRunning({ words, environment: this.#environmentOf(own, environment), cwd });
    } catch (error) {
      this.#ports.delete(incarnation);
      throw error;
    }
    const child = { replica, address: addresses[0], isListening: false };
    return this.#follow({ ...child, process: new ReplicaProcess(replica, running, output, clock) }, hold);
  }

  #follow(child: Child, { guardian }: Hold): Child {
    const { replica, process, address } = child;
    const { incarnation } = replica;
    const { pid } = process;
    if (pid !== undefined) guardian?.guard(pid);
    this.#children.set(incarnation, child);
    void process.exited.then((exit) => {
      // If it never listened, `start` rejects, and there is no exit to tell.
      if (exit instanceof Error || !child.isListening) return;
      for (const listener of this.#listeners) listener({ type: 'exited', replica, reason: exit.lateReason });
    });
    void process.gone.then(() => {
      if (pid !== undefined) guardian?.forget(pid);
      this.#children.delete(incarnation);
      this.#ports.delete(incarnation);
      // A replica may have made something else of it; the directory goes in the end.
      if (address.type === 'unix') rm(address.path, { force: true }).catch(() => undefined);
    });
    return child;
  }

  #environmentOf(own: OwnValues, more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
    const { environment, variables } = this.#options;
    return { ...environment, ...variablesWith(LOOPBACK, new Map([...variables, ...Object.entries(more)]), own) };
  }
}

async function takeHold({ command, environment, variables, cwd, clock, handed }: ProcessRuntimeOptions): Promise<Hold> {
  await checkCommand(command[0], variables.get('PATH') ?? environment.PATH, cwd);
  if (handed !== undefined) return { directory: handed.directory, guardian: undefined };
  const base = Buffer.byteLength(tmpdir()) <= LONGEST_DIRECTORY_BYTES ? tmpdir() : '/tmp';
  // mkdtemp creates it with mode 0700.
  const directory = await mkdtemp(join(base, 'ringmaster-'));
  return { directory, guardian: startGuardians(directory, clock) };
}

function neverBegun(): never {
  assert.fail('a runtime starts replicas once it has begun');
}

function ownValues({ hostname, seat }: ReplicaRef, address: Address): OwnValues {
  const given = address.type === 'unix' ? { socket: address.path } : { port: String(address.port) };
  return { ...given, id: hostname, seat: String(seat) };
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
