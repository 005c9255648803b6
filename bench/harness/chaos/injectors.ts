// How each fault is done to the running program. An injector resolves when its fault is over; what comes of it is for
// others to see. It may throw if something made it impossible, such as a replica that has ended by itself.

import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { upgrade } from '../upgrades.ts';
import { monotonicMs } from './history.ts';
import type { ChaosLoad } from './load.ts';
import { CROWDS, type Crowd, ERRORS, type ErrorOfReplica, type FaultKind, type PlannedFault } from './plan.ts';
import { run, type Stage } from './stage.ts';

/** A fault with whom it befalls; empty if no replica. */
export interface Strike extends PlannedFault {
  readonly who: string;
  /** Differs from that of all others of the run. */
  readonly number: number;
}

export type Injector = (strike: Strike, stage: Stage, load: ChaosLoad) => Promise<void>;

const CROWD_SIZES: Readonly<Record<Crowd, number>> = { 'half-closed': 20, burst: 150, 'slow-reader': 12 };
const CLOCK_MOVES_MS = 3_600_000;
// What is left to a process that is short of descriptors.
const SPARE_DESCRIPTORS = 3;
const NOTICE_LIMIT_MS = 5000;
const LOOK_MS = 20;
const CHANGE_ATTEMPTS = 20;
const CHANGE_PAUSE_MS = 250;
const RELOAD_LIMIT_MS = 20_000;

/** Whether it befalls one replica, which is drawn from those that are well. */
export function befallsReplica(kind: FaultKind): boolean {
  return kind === 'kill' || kind === 'stop' || kind === 'storm' || isError(kind);
}

export function injectorOf(kind: FaultKind): Injector {
  if (isError(kind)) return err;
  if ((CROWDS as readonly string[]).includes(kind)) return crowd;
  const injector = OTHERS[kind];
  if (injector === undefined) throw new Error(`nothing here can do ${kind}`);
  return injector;
}

function isError(kind: FaultKind): kind is ErrorOfReplica {
  return (ERRORS as readonly string[]).includes(kind);
}

const err: Injector = async ({ kind, who, lastsMs }, { directory }) => {
  await order(directory, who, kind, lastsMs);
  await sleep(lastsMs);
};

const crowd: Injector = ({ kind }, _stage, load) => load.crowd(kind as Crowd, CROWD_SIZES[kind as Crowd]);

const OTHERS: Partial<Record<FaultKind, Injector>> = {
  kill: async ({ who }, stage) => {
    if (stage.containers === undefined) process.kill(stage.replica(who).pid, 'SIGKILL');
    else await stage.containers.strike('kill', who);
    // Until that is noticed the fleet looks whole.
    const untilMs = monotonicMs() + NOTICE_LIMIT_MS;
    while (monotonicMs() < untilMs && (await stage.hostnames()).includes(who)) await sleep(LOOK_MS);
  },
  stop: async ({ who, lastsMs }, stage) => {
    if (stage.containers !== undefined) {
      await stage.containers.strike('pause', who);
      await sleep(lastsMs);
      // It may have been given up and removed meanwhile.
      await stage.containers.strike('unpause', who).catch(() => undefined);
      return;
    }
    const { pid } = stage.replica(who);
    process.kill(pid, 'SIGSTOP');
    await sleep(lastsMs);
    try {
      process.kill(pid, 'SIGCONT');
    } catch {
      // It was given up and killed meanwhile.
    }
  },
  outage: async ({ lastsMs }, stage) => {
    const all = await stage.hostnames();
    await Promise.all(all.map((who) => order(stage.directory, who, 'reset-before', lastsMs)));
    await sleep(lastsMs);
  },
  storm,
  reload: async ({ number }, stage) => {
    const factor = { ring: { 'balance-factor': number % 2 === 0 ? 1.25 : 1.5 } };
    await reload(stage, factor);
    await reload(stage, {});
  },
  upgrade: async (_strike, stage) => {
    try {
      stage.served((await upgrade(stage.program)).pid);
    } catch (error) {
      // The answer is lost with a worker that ends. The log knows.
      if (!/hang up|ECONNRESET/.test((error as Error).message)) throw error;
      await stage.findPid();
    }
  },
  'guardian-killed': async ({ draw }, stage) => {
    const guardians = () => childrenOf(stage.pid).filter((pid) => /guardian/.test(commandOf(pid)));
    const untilMs = monotonicMs() + NOTICE_LIMIT_MS;
    // Those of a process that has just taken over are on their way.
    while (guardians().length === 0 && monotonicMs() < untilMs) await sleep(LOOK_MS);
    const pid = guardians()[Math.floor(draw * guardians().length)];
    if (pid === undefined) throw new Error('no guardian was found');
    process.kill(pid, 'SIGKILL');
  },
  'disk-full': async ({ lastsMs }, stage) => {
    await turnAccessLog(stage, '/dev/full');
    await sleep(lastsMs);
    await turnAccessLog(stage, 'access.log.file');
  },
  'log-stalled': async ({ lastsMs }, stage) => {
    // At this level each request has a line, so that the pipe is soon full.
    await reload(stage, { service: { log: 'debug' } });
    const { stderr } = stage.program.process;
    stderr?.pause();
    await sleep(lastsMs);
    stderr?.resume();
    await reload(stage, {});
  },
  // A reload would take the limit of that moment over, and keep it.
  'descriptors-short': ({ lastsMs }, { pid }) => inTurn(() => shortenDescriptors(pid, lastsMs)),
  'clock-moved': async ({ lastsMs, draw }, stage) => {
    const { pid } = stage;
    const move = (ms: number) => Promise.all([0, ...stage.workers()].map((one) => stage.inside(one, 'clock', ms)));
    await move(Math.round((2 * draw - 1) * CLOCK_MOVES_MS));
    await sleep(lastsMs);
    if (stage.pid === pid) await move(0).catch(() => undefined);
  },
  'engine-killed': async ({ lastsMs }, { containers }) => {
    const startAgain = await containers?.killEngine();
    await sleep(lastsMs);
    await startAgain?.();
  },
  'events-cut': async ({ lastsMs }, { containers }) => {
    await containers?.door.shut();
    await sleep(lastsMs);
    await containers?.door.open();
  },
  'worker-killed': async ({ draw }, stage) => {
    const workers = stage.workers().sort((a, b) => b - a);
    // Those with higher numbers are alive; what ended has left its socket.
    for (const worker of draw < 0.5 ? workers : workers.slice(1).concat(workers)) {
      const isDone = await stage.inside(worker, 'throw').then(
        () => true,
        () => false,
      );
      if (isDone) return;
    }
    throw new Error('no worker was found');
  },
};

/** Two join, one that was there leaves, another joins, and the two leave again, some of it at once. */
async function storm({ who, number }: Strike, stage: Stage): Promise<void> {
  const [first, second] = [`storm${number}a`, `storm${number}b`];
  const add = (...hostnames: string[]) => change(stage, 'POST', '/add', { n: hostnames.length || 1, hostnames });
  const remove = (name: string) => removeOne(stage, name);
  const failures: unknown[] = [];
  const all = (...calls: Promise<unknown>[]) =>
    Promise.all(calls.map((call) => call.catch((error: unknown) => void failures.push(error))));
  await all(add(first, second), remove(who));
  await all(remove(first), add());
  await all(remove(second));
  await restore(stage);
  if (failures.length > 0) throw failures[0];
}

// What failed, since something else befell the fleet as well, may have left too few or too many.
async function restore(stage: Stage): Promise<void> {
  const there = await stage.hostnames();
  if (there.length < stage.wanted) await change(stage, 'POST', '/add', { n: stage.wanted - there.length });
  for (const name of there.slice(stage.wanted)) await removeOne(stage, name);
}

async function removeOne(stage: Stage, name: string): Promise<void> {
  const askedMs = monotonicMs();
  try {
    await change(stage, 'DELETE', '/rm?only-named', { n: 1, hostnames: [name] });
  } catch (error) {
    // It was lost meanwhile, and another is in its place.
    if (/there is no/.test((error as Error).message)) return;
    throw error;
  }
  stage.note({ is: 'removed', who: name, askedMs, atMs: monotonicMs() });
}

// A balancer that is being replaced says that one should ask again, and a worker that ends takes an answer with it.
async function change(stage: Stage, method: string, path: string, body: object): Promise<void> {
  for (let times = 1; ; times++) {
    try {
      await stage.call(method, path, body);
      return;
    } catch (error) {
      const isPassing = /answered with 503|hang up|ECONNRESET/.test((error as Error).message);
      if (times >= CHANGE_ATTEMPTS || !isPassing) throw error;
      await sleep(CHANGE_PAUSE_MS);
    }
  }
}

async function order(directory: string, who: string, how: string, lastsMs: number): Promise<void> {
  const path = join(directory, 'orders', who);
  const written = `${path}.${randomUUID()}`;
  await writeFile(written, JSON.stringify({ how, untilMs: monotonicMs() + lastsMs }));
  await rename(written, path);
}

async function shortenDescriptors(pid: number, lastsMs: number): Promise<void> {
  const open = readdirSync(`/proc/${pid}/fd`).length;
  const { stdout } = await run('prlimit', ['--nofile', '--output', 'SOFT', '--noheadings', '--pid', String(pid)]);
  const limitTo = (soft: number) => run('prlimit', [`--nofile=${soft}:`, '--pid', String(pid)]);
  await limitTo(open + SPARE_DESCRIPTORS);
  await sleep(lastsMs);
  // The process may have been replaced meanwhile.
  await limitTo(Number(stdout)).catch(() => undefined);
}

// One at a time, since there is one file, and one limit.
let busy: Promise<unknown> = Promise.resolve();

function inTurn(work: () => Promise<void>): Promise<void> {
  const done = busy.then(work);
  busy = done.catch(() => undefined);
  return done;
}

function reload(stage: Stage, options: Readonly<Record<string, object>>): Promise<void> {
  return inTurn(async () => {
    await stage.configure(options);
    await Promise.race([
      stage.call('POST', '/balancer/reload'),
      sleep(RELOAD_LIMIT_MS, undefined, { ref: false }).then(() => {
        throw new Error('a reload was not answered');
      }),
    ]);
  });
}

async function turnAccessLog({ directory, pid }: Stage, target: string): Promise<void> {
  const path = join(directory, 'access.log');
  await rm(path, { force: true });
  await symlink(target, path);
  process.kill(pid, 'SIGUSR1');
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(' ').map(Number);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
