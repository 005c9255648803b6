// The faults that befall a replica of the running program: it is killed, hung (stopped, so that it neither answers nor
// ends), or removed by the API. For the first two, the balancer is bypassed.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Program } from './program.ts';

export type FaultKind = 'kill' | 'hang' | 'rm';

const run = promisify(execFile);

/**
 * Prepares a fault and returns the function that causes it. Slow work, such as finding the process, is done beforehand.
 */
export async function aim(
  kind: FaultKind,
  program: Program,
  replica: string,
  runtime: 'process' | 'docker',
): Promise<() => Promise<unknown>> {
  if (kind === 'rm') {
    // The answer comes when the replica is gone. It is not awaited, since the log shows whether it worked.
    const remove = () => program.call('DELETE', '/rm', { n: 1, hostnames: [replica] });
    return async () => void remove().catch(() => undefined);
  }
  if (runtime === 'docker') return () => run('docker', [kind === 'kill' ? 'kill' : 'pause', replica]);
  const pid = await replicaPid(program, replica);
  return async () => process.kill(pid, kind === 'kill' ? 'SIGKILL' : 'SIGSTOP');
}

/** The process id of a replica that is a child of that program. Throws if there is none. */
export async function replicaPid({ pid: balancerPid }: Pick<Program, 'pid'>, replica: string): Promise<number> {
  // With `e`, ps prints the environment, which holds the hostname, on Linux and macOS alike.
  const { stdout } = await run('ps', ['axeww', '-o', 'pid=,ppid=,command='], { maxBuffer: 64 * 2 ** 20 });
  for (const line of stdout.split('\n')) {
    const [pid, parent, ...words] = line.trim().split(/\s+/);
    if (Number(parent) === balancerPid && words.includes(`SERVER_ID=${replica}`)) return Number(pid);
  }
  throw new Error(`no process of ${replica} below ${balancerPid}`);
}

/** Whether the process still runs. One that has ended but was not yet waited for does not. Linux only. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
