import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { realClock } from '../../lib/fleet/clock.ts';
import { groupGone, signalGroup } from '../../lib/fleet/runtimes/process-group.ts';
import { pythonMissing } from '../fixtures/http-server.ts';

// The leader of a group starts a process that leaves the group and sleeps. That one has a child in the group that has
// ended, and never asks how it ended.
const LEAVES_ONE_UNASKED = `
import os, sys, time
if os.fork() == 0:
    if os.fork() == 0:
        os._exit(0)
    os.setsid()
    print(os.getpid(), flush=True)
    time.sleep(600)
sys.stdin.read()
`;

t.test(
  'a process that has ended counts as gone, even if nobody has asked how',
  { skip: pythonMissing() ?? false },
  async (t) => {
    const leader = spawn('python3', ['-c', LEAVES_ONE_UNASKED], { detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    const [parent] = await once(leader.stdout, 'data');
    t.teardown(() => process.kill(Number(parent), 'SIGKILL'));
    leader.stdin.end();
    await once(leader, 'exit');
    const group = leader.pid as number;
    process.kill(-group, 0);
    await groupGone(group, realClock);
  },
);

t.test('it waits for all of the group; a group that is gone is left alone', async (t) => {
  const leader = spawn('sh', ['-c', 'sleep 600 & echo $!'], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(leader, 'exit');
  const [pid] = await once(leader.stdout, 'data');
  await exited;
  const group = leader.pid as number;
  let isGone = false;
  const gone = groupGone(group, realClock).then(() => {
    isGone = true;
  });
  process.kill(Number(pid), 0);
  t.notOk(isGone);
  signalGroup(group, 'SIGKILL');
  await gone;
  signalGroup(group, 'SIGKILL');
});
