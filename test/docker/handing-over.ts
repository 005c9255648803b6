// A balancer whose place another process takes: the containers go on, and nobody thinks that two hold the fleet.

import type { Test } from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { endOfBefore, stopNewest, upgrade } from '../../bench/harness/upgrades.ts';
import { containersOf, docker, removeFleet } from '../fixtures/engine.ts';

const FLEET = 'test-handing-over';

export async function handingOver(t: Test): Promise<void> {
  t.teardown(() => removeFleet(FLEET));
  const program = await startProgram(['--runtime', 'docker', '--fleet', FLEET, '--replicas', '2', '--grace', '1s']);
  t.teardown(() => stopNewest(program));
  const [containers, names] = [await containersOf(FLEET), await program.hostnames()];
  for (let count = 0; count < 2; count++) {
    const { before, replicas } = await upgrade(program);
    t.equal(replicas, 2);
    t.match(await endOfBefore(program, before), { lost: 0, phase: 'ended' });
    t.same(await containersOf(FLEET), containers);
    t.same(await program.hostnames(), names);
  }
  t.equal(program.log.filter(({ event }) => event === 'replica-starting').length, 2);
  await docker('kill', 'server2');
  await program.logged((line) => line.event === 'replica-serving' && line.seat === 2 && line.hostname !== 'server2');
}
