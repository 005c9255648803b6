// The ways in which a replica of the running program is struck: killed, hung (stopped, so that it neither answers nor ends),
// removed by the API. The first two go past the balancer, to the process or the container.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Program } from './program.ts';
import type { FaultKind, Runtime } from './samples.ts';

const run = promisify(execFile);

/** Resolves once the fault is there; of `rm`, as soon as it is asked for. */
export async function strike(kind: FaultKind, program: Program, replica: string, runtime: Runtime): Promise<void> {
  if (kind === 'rm') {
    // The answer comes when the replica is gone.
    void program.call('DELETE', '/rm', { n: 1, hostnames: [replica] });
  } else if (runtime === 'docker') {
    await run('docker', [kind === 'kill' ? 'kill' : 'pause', replica]);
  } else {
    process.kill(await replicaPid(program.pid, replica), kind === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  }
}

/** The process of a replica that is a child of the balancer. Throws if there is none. */
export async function replicaPid(balancerPid: number, replica: string): Promise<number> {
  // With the environment, on Linux and macOS alike: the hostname is in it.
  const { stdout } = await run('ps', ['axeww', '-o', 'pid=,ppid=,command='], { maxBuffer: 64 * 2 ** 20 });
  for (const line of stdout.split('\n')) {
    const [pid, parent, ...words] = line.trim().split(/\s+/);
    if (Number(parent) === balancerPid && words.includes(`SERVER_ID=${replica}`)) return Number(pid);
  }
  throw new Error(`no process of ${replica} below ${balancerPid}`);
}
