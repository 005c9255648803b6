// A balancer that was killed with -9 and started again: it keeps its containers and removes strays.

import type { Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { containersOf, docker, removeFleet } from '../fixtures/engine.ts';
import { eventually } from '../fixtures/eventually.ts';

const FLEET = 'test-adoption';
const args = [
  '--runtime',
  'docker',
  '--fleet',
  FLEET,
  '--docker-volume',
  'ringmaster-test:/data',
  '--key',
  'header:x-user',
];

// Who answers each of 60 keys, once all serve: a balancer that finds replicas listens as soon as one of them does.
async function placement({ url, json }: Program): Promise<string[]> {
  await eventually('all serve', async () => {
    const { absent } = (await json('/balancer/ring')).body as { absent: Record<string, string> };
    return Object.keys(absent).length === 0;
  });
  const places: string[] = [];
  for (let user = 0; user < 60; user++) {
    const response = await fetch(`${url}/home`, { headers: { 'x-user': `user${user}` } });
    places.push(/Server: (\w+)/.exec(await response.text())?.[1] ?? 'none');
  }
  return places;
}

export async function adoption(t: Test): Promise<void> {
  t.teardown(() => removeFleet(FLEET));
  const first = await startProgram(args);
  await first.json('/add', { method: 'POST', body: '{"n":1,"hostnames":["S4"]}' });
  await docker('kill', 'server2');
  await first.logged((line) => line.event === 'replica-serving' && line.seat === 2 && line.hostname !== 'server2');
  const names = await first.hostnames();
  const places = await placement(first);
  await first.logged((line) => line.event === 'replica-stopped' && line.hostname === 'server2');
  const containers = await containersOf(FLEET);
  first.process.kill('SIGKILL');
  await first.exited;

  t.test('every replica goes on in its seat: same containers, same order, same keys', async (t) => {
    t.same(await containersOf(FLEET), containers);
    const second = await startProgram(args);
    t.same(await containersOf(FLEET), containers);
    t.same(await second.hostnames(), names);
    t.same(await placement(second), places);
    t.notOk(second.log.some((line) => line.event === 'replica-starting'));
    second.process.kill('SIGKILL');
    await second.exited;
  });

  t.test('one that ended meanwhile is replaced in its seat, strays are removed', async (t) => {
    await docker('kill', 'server3');
    // An older replica of an occupied seat, as a balancer leaves it that is killed in the middle of a replacement.
    await docker(
      ...[
        'run',
        '--detach',
        '--name',
        'test_stray',
        '--label',
        `ringmaster.fleet=${FLEET}`,
        '--label',
        'ringmaster.places=1',
      ],
      ...['--label', 'ringmaster.incarnation=5', 'node:26-slim', 'sleep', '600'],
    );
    const third = await startProgram(args);
    t.teardown(() => third.stop());
    const after = await third.hostnames();
    t.same(
      after.slice(0, 3),
      names.filter((name) => name !== 'server3'),
    );
    t.equal(after.length, 4);
    const newcomer = after[3] as string;
    t.same(
      await placement(third),
      places.map((place) => (place === 'server3' ? newcomer : place)),
    );
    await third.logged((line) => line.event === 'replica-stopped' && line.hostname === 'test_stray');
    t.same(
      (await containersOf(FLEET)).map((line) => line.split(' ')[0]),
      after.toSorted(),
    );
  });

  t.test('killed in the middle of an /add: names and number are as they were before', async (t) => {
    const one = await startProgram([...args, '--parallel-starts', '1']);
    const before = await one.hostnames();
    const adding = one.json('/add', { method: 'POST', body: '{"n":3,"hostnames":["A1","A2","A3"]}' });
    adding.catch(() => undefined);
    await one.logged((line) => line.event === 'replica-serving' && line.hostname === 'A1');
    one.process.kill('SIGKILL');
    await one.exited;
    const next = await startProgram(args);
    t.teardown(() => next.stop());
    t.same(await next.hostnames(), before);
    await next.logged((line) => line.event === 'replica-stopped' && line.hostname === 'A1');
    t.match(await next.json('/add', { method: 'POST', body: '{"n":1,"hostnames":["A1"]}' }), { status: 200 });
    t.same(
      (await containersOf(FLEET)).map((line) => line.split(' ')[0]),
      [...before, 'A1'].toSorted(),
      'nothing else is left at the engine',
    );
  });
}
