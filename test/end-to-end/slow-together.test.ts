// All replicas are slow at once, as on a busy machine: answers are late and heartbeats are missed.

import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { replicaPid } from '../../bench/harness/faults.ts';
import { startLoad } from '../../bench/harness/load.ts';
import { startProgram } from '../../bench/harness/program.ts';

/** Lets that process run only for a moment now and then, until it has ended. It is real time that makes it slow. */
async function slowDown(pid: number): Promise<void> {
  try {
    for (;;) {
      process.kill(pid, 'SIGSTOP');
      await sleep(1500);
      process.kill(pid, 'SIGCONT');
      await sleep(50);
    }
  } catch {
    // The process has ended.
  }
}

for (const n of [3, 1]) {
  t.test(`${n} that are slow at once are all replaced, and no request is refused meanwhile`, async (t) => {
    const pace = ['--heartbeat-interval', '200ms', '--heartbeat-timeout', '200ms', '--grace', '4s'];
    const program = await startProgram(['--replicas', String(n), ...pace]);
    t.teardown(() => program.stop());
    const before = await program.hostnames();
    const pids = await Promise.all(before.map((hostname) => replicaPid(program, hostname)));
    const load = startLoad(`${program.url}/home`, 40);
    const ended = Promise.all(pids.map(slowDown));
    await Promise.all(
      before.map((hostname) =>
        program.logged((line) => line.event === 'replica-stopped' && line.hostname === hostname),
      ),
    );
    await ended;
    await load.more(40);
    const { failures } = await load.stop();
    t.same(failures, []);
    const after = await program.hostnames();
    t.equal(after.length, n);
    t.notOk(after.some((hostname) => before.includes(hostname)));
  });
}
