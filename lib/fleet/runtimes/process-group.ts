// The process group of a replica: its program, and all that the program has started, unless that has made a group of
// its own. The whole group is ended, so that a shell or npm in front of a server leaves no server behind.

import { readdir, readFile } from 'node:fs/promises';
import type { Clock } from '../../core/ports.ts';
import { localShortage } from '../../errors.ts';

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 100;

/** Sends a signal to all processes of a group. A group that is gone is left alone. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // Nobody is left.
  }
}

/** Resolves when no process of the group runs. To be called when its leader has ended. */
export async function groupGone(group: number, clock: Clock): Promise<void> {
  let pauseMs = FIRST_PAUSE_MS;
  let running: readonly string[] = [];
  while (isThere(group)) {
    running = await stillRunning(group, running);
    // The search is repeated for those that others have started meanwhile.
    if (running.length === 0) running = await membersOf(group);
    if (running.length === 0) return;
    await clock.sleep(pauseMs);
    pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 1.5);
  }
}

function isThere(group: number): boolean {
  try {
    process.kill(-group, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

// A process that has ended belongs to its group until somebody waits for it, and in a container whose first process is
// no init nobody does. So those that run are told from those that have ended, where /proc says which is which.
async function membersOf(group: number): Promise<readonly string[]> {
  const all = await readdir('/proc').catch(() => []);
  const pids = all.filter((name) => /^\d+$/.test(name));
  // Without /proc, the kernel's word that somebody is there has to do.
  return pids.length === 0 ? [UNKNOWN] : await stillRunning(group, pids);
}

const UNKNOWN = '';

async function stillRunning(group: number, pids: readonly string[]): Promise<readonly string[]> {
  const running = await Promise.all(pids.map((pid) => (pid === UNKNOWN ? true : runsIn(group, pid))));
  return pids.filter((_, index) => running[index]);
}

async function runsIn(group: number, pid: string): Promise<boolean> {
  const found = await runningProcess(pid);
  return found === 'unknown' || found?.group === group;
}

/**
 * Of a process that runs, if /proc tells: its group, and when it was started as the system counts. `unknown` if this
 * process has no descriptor left to look with.
 */
export async function runningProcess(
  pid: string | number,
): Promise<{ readonly group: number; readonly startTicks: string } | 'unknown' | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch((error: unknown) =>
    localShortage(error) === undefined ? '' : undefined,
  );
  if (stat === undefined) return 'unknown';
  // The name of the program, which may hold anything, stands in parentheses before these fields.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, group, startTicks] = [fields[0], fields[2], fields[START_FIELD]];
  if (startTicks === undefined || state === 'Z' || state === 'X') return undefined;
  return { group: Number(group), startTicks };
}

// proc_pid_stat(5) counts from 1, and two fields stand before the state.
const START_FIELD = 22 - 3;
