// The ways in which a replica of the running program is struck: killed, hung (stopped, so that it neither answers nor
// ends), removed by the API. The first two go past the balancer, to the process or the container.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Program } from './program.ts';

export type FaultKind = 'kill' | 'hang' | 'rm';

const run = promisify(execFile);

/** Gives the function that strikes: what takes time, such as finding the process, is done before. */
export async function aim(
  kind: FaultKind,
  program: Program,
  replica: string,
  runtime: 'process' | 'docker',
): Promise<() => Promise<unknown>> {
  if (kind === 'rm') {
    // The answer comes when the replica is gone. Nobody waits for it: whether it worked is seen in the log.
    const remove = () => program.call('DELETE', '/rm', { n: 1, hostnames: [replica] });
    return async () => void remove().catch(() => undefined);
  }
  if (runtime === 'docker') return () => run('docker', [kind === 'kill' ? 'kill' : 'pause', replica]);
  const pid = await replicaPid(program, replica);
  return async () => process.kill(pid, kind === 'kill' ? 'SIGKILL' : 'SIGSTOP');
}

/** The process of a replica that is a child of that program. Throws if there is none. */
export async function replicaPid({ pid: balancerPid }: Pick<Program, 'pid'>, replica: string): Promise<number> {
  // With the environment, on Linux and macOS alike: the hostname is in it.
  const { stdout } = await run('ps', ['axeww', '-o', 'pid=,ppid=,command='], { maxBuffer: 64 * 2 ** 20 });
  for (const line of stdout.split('\n')) {
    const [pid, parent, ...words] = line.trim().split(/\s+/);
    if (Number(parent) === balancerPid && words.includes(`SERVER_ID=${replica}`)) return Number(pid);
  }
  throw new Error(`no process of ${replica} below ${balancerPid}`);
}

/** Does that process still run? One that has ended and waits for its parent to notice does not. Linux only. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
