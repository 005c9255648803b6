// What the machine is and can do: pin processes to a core, tell the processor time of other processes, tell how busy it
// is. If it cannot, these functions return nothing, and the bench goes on without them.

import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem, type } from 'node:os';
import { relative, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isInstalled, SEARCH_PATH } from './harness/peers.ts';
import type { Environment, Runtime } from './samples.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const IDLE_SAMPLE_MS = 500;
// All files except those that a run writes.
const SOURCES = ['.', ...['results', 'reports', 'out'].map((folder) => `:!bench/${folder}`)];

/** The first line that a command prints on standard output; `undefined` if the command cannot be run or fails. */
export function firstLine(command: string, ...args: string[]): string | undefined {
  const { stdout, status } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.split('\n', 1)[0] : undefined;
}

/** The first version number that the command prints, on standard output or standard error. */
export function versionOf(command: string, flag: string): string | undefined {
  const { stdout, stderr } = spawnSync(command, [flag], {
    encoding: 'utf8',
    env: { ...process.env, PATH: SEARCH_PATH },
  });
  return /\d+(?:\.\d+)+/.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[0];
}

/**
 * Takes half a second, to see what else the machine does.
 * @param ownFile is a file of the user that is tried out, which is no change of the program wherever it is.
 */
export async function describeEnvironment(quick: boolean, runtime: Runtime, ownFile?: string): Promise<Environment> {
  const before = busyAndTotalMs();
  await sleep(IDLE_SAMPLE_MS);
  const after = busyAndTotalMs();
  const packageOf = (name: string) => JSON.parse(readFileSync(`${ROOT}/node_modules/${name}/package.json`, 'utf8'));
  return {
    startedAt: new Date().toISOString(),
    commit: firstLine('git', 'rev-parse', '--short', 'HEAD') ?? 'unknown',
    changed: hasChanges(ownFile),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()} ${arch()}`,
    versions: { Node: process.versions.node, autocannon: packageOf('autocannon').version },
    busyRatio: ratioOf(after.busy - before.busy, after.total - before.total),
    quick,
    runtime,
  };
}

/** Whether files of the program are not as they were committed; a file of the user is not one of them. */
export function hasChanges(ownFile: string | undefined): boolean {
  const fromRoot = ownFile === undefined ? '..' : relative(ROOT, resolve(ownFile));
  // A file outside is none of git's business, and would be an error.
  const others = fromRoot.startsWith('..') ? [] : [`:(exclude,literal)${fromRoot}`];
  return (firstLine('git', 'status', '--porcelain', '--untracked-files=all', '--', ...SOURCES, ...others) ?? '') !== '';
}

/** Words in front of a command that pin it to those cores; none if that is not possible. */
export function pinnedTo(...cores: readonly number[]): readonly string[] {
  return canPin() ? ['taskset', '-c', cores.join(',')] : [];
}

/** Whether there are two cores, and a command that can pin to one. */
export function canPin(): boolean {
  return cpus().length > 1 && isInstalled('taskset');
}

/** User and system time of a process and its descendants, in ms; `undefined` if the system does not tell. */
export function processorTimeMs(pid: number): number | undefined {
  try {
    const [own, ...others] = familyOf(pid);
    return others.reduce((sum, member) => sum + timeIfThereMs(member), ownTimeMs(own as number));
  } catch {
    return undefined;
  }
}

/**
 * User and system time of each thread of a process and of its descendants, in ms, by the thread's number; `undefined`
 * if the system does not tell.
 */
export function threadTimesMs(pid: number): ReadonlyMap<number, number> | undefined {
  try {
    return new Map(familyOf(pid).flatMap(threadsOf));
  } catch {
    return undefined;
  }
}

function threadsOf(pid: number): [thread: number, ms: number][] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => [
    Number(thread),
    readStatTimeMs(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8')),
  ]);
}

// The process itself first.
function familyOf(pid: number): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/).map(Number) as [number, number]);
  const family = new Set([pid]);
  // A parent may come after its children in the list.
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const [child, parent] of rows) if (family.has(parent)) family.add(child);
  }
  return [...family];
}

/**
 * Starts to watch what the rest of the machine does. Returns a function that tells which part of the processor time
 * since then, from 0 to 1, went to processes other than this one and its children; `undefined` if the system does not
 * tell the times of children that have ended.
 */
export function watchOthers(): () => { readonly busyRatioMeanwhile?: number } {
  const before = busyAndTotalMs();
  const oursBeforeMs = processorTimeMs(process.pid);
  return () => {
    const after = busyAndTotalMs();
    const oursAfterMs = processorTimeMs(process.pid);
    if (process.platform !== 'linux' || oursBeforeMs === undefined || oursAfterMs === undefined) return {};
    const othersMs = after.busy - before.busy - (oursAfterMs - oursBeforeMs);
    return { busyRatioMeanwhile: ratioOf(othersMs, after.total - before.total) };
  };
}

function ratioOf(part: number, total: number): number {
  return Math.max(0, Math.round((part / total) * 1000) / 1000);
}

const TICK_MS = 10;

function timeIfThereMs(pid: number): number {
  try {
    return ownTimeMs(pid);
  } catch {
    // The process has ended meanwhile, and its time is counted with its parent.
    return 0;
  }
}

function ownTimeMs(pid: number): number {
  if (process.platform === 'linux') return readStatTimeMs(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const written = execFileSync('ps', ['-o', 'time=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  return readPsTimeMs(written);
}

/** User and system time in Linux's /proc/PID/stat, of the process and of its children that have ended. */
export function readStatTimeMs(written: string): number {
  // The name of the command may contain spaces and brackets.
  const fields = written.replace(/^.*\) /s, '').split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS;
}

/** Reads a time as `ps` prints it on macOS and BSD: `[[days-]hours:]minutes:seconds.hundredths`. */
export function readPsTimeMs(written: string): number {
  const [days = '0', clock = written] = written.includes('-') ? written.split('-') : [];
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Math.round((Number(days) * 86_400 + seconds) * 1000);
}

function busyAndTotalMs(): { busy: number; total: number } {
  const times = cpus().map((cpu) => cpu.times);
  const total = times.reduce((sum, one) => sum + one.user + one.nice + one.sys + one.irq + one.idle, 0);
  return { busy: total - times.reduce((sum, one) => sum + one.idle, 0), total };
}
