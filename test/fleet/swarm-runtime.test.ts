// What a manager of a Swarm tells, and what that means for replicas: where the next one is not to be, how long a start is
// waited for, and what is told of those that end. test/swarm/ plays it on a real Swarm.

import type Docker from 'dockerode';
import t from 'tap';
import type { ReplicaRef, RuntimeNews } from '../../lib/core/ports.ts';
import { type FleetService, type FleetView, viewFleet } from '../../lib/fleet/runtimes/swarm/fleet-view.ts';
import { nodesToAvoid } from '../../lib/fleet/runtimes/swarm/placement.ts';
import { DoubtfulNodes, type Start, startService } from '../../lib/fleet/runtimes/swarm/starting.ts';
import { stopServices } from '../../lib/fleet/runtimes/swarm/stopping.ts';
import { endOf, type SwarmNode, type SwarmTask, stateOf } from '../../lib/fleet/runtimes/swarm/task.ts';
import { watchServices } from '../../lib/fleet/runtimes/swarm/watch.ts';
import { createLog } from '../../lib/log.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

const node = (ID: string, State = 'ready', Availability = 'active'): SwarmNode => ({
  ...{ ID, Spec: { Availability } },
  Status: { State, Addr: `${ID}.invalid` },
});
const task = (NodeID: string, State: string, more: object = {}): SwarmTask => ({
  ...{ ID: 't', ServiceID: 's', CreatedAt: '2026-01-01T00:00:00Z', NodeID, DesiredState: 'running' },
  Status: { State, ...more },
});
const replica = (seat: number, incarnation = seat): ReplicaRef => ({ seat, incarnation, hostname: `r${incarnation}` });

/** What the manager tells of replicas and their tasks. The id of each service is the hostname. */
function view(
  services: readonly (readonly [ReplicaRef, SwarmTask | undefined])[],
  nodes: SwarmNode[] = [node('a')],
): FleetView {
  return {
    nodes: new Map(nodes.map((one) => [one.ID, one])),
    tasks: services.flatMap(([, one]) => one ?? []),
    services: services.map(
      ([replica, task]) =>
        ({
          ...{ service: { ID: replica.hostname }, replica, task },
          address: task?.Status.State === 'running' ? { type: 'tcp', host: task.NodeID, port: 1 } : undefined,
        }) as FleetService,
    ),
  };
}

t.test('a task that runs has an address also when it is to end', async (t) => {
  const Labels = { 'ringmaster.places': '1', 'ringmaster.incarnation': '5', 'ringmaster.port': '80' };
  const ports = { PortStatus: { Ports: [{ TargetPort: 80, PublishedPort: 3000, PublishMode: 'host' }] } };
  const addressOf = async (one: SwarmTask) => {
    const docker = {
      listServices: async () => [{ ID: 's', Spec: { Name: 'r5', Labels } }],
      listTasks: async () => [one],
      listNodes: async () => [node('a', 'ready', 'drain')],
    };
    return (await viewFleet(docker as unknown as Docker, 'f', undefined)).services[0]?.address;
  };
  const there = { type: 'tcp', host: 'a.invalid', port: 3000 };
  t.same(await addressOf(task('a', 'running', ports)), there);
  t.same(await addressOf({ ...task('a', 'running', ports), DesiredState: 'shutdown' }), there, 'its node is drained');
  t.equal(await addressOf(task('a', 'shutdown', ports)), undefined, 'it has ended');
});

t.test('the next replica is kept from nodes where the last one is still said to run', async (t) => {
  const nodes = ['a', 'b', 'c'].map((id) => node(id));
  const avoided = (...ending: SwarmTask[]) => nodesToAvoid(ending, nodes, []);
  t.same(avoided(task('c', 'running')), ['c'], 'the node that lost it');
  t.same(avoided(task('c', 'running'), task('b', 'failed'), task('a', 'preparing')), ['c'], 'two of them are over');
  t.same(avoided(), []);
  t.same(nodesToAvoid([], nodes, ['b']), ['b'], 'a start failed there');
  const left = [node('a', 'down'), node('b', 'ready', 'drain'), node('c')];
  t.same(nodesToAvoid([task('c', 'running')], left, []), [], 'no other node takes tasks');
});

t.test(
  'a start keeps from nodes of replicas that are being ended or whose services are gone, and of no other',
  async (t) => {
    const clock = new VirtualClock();
    const nodes = ['a', 'b', 'c', 'd'].map((id) => node(id));
    const played = started(clock, [task('d', 'running')], nodes);
    const on = (id: string, hostname: string) => ({ ...task(id, 'running'), ServiceID: hostname });
    const services: FleetView = view(
      [
        [replica(2), on('a', 'r2')],
        [replica(3), on('b', 'r3')],
      ],
      nodes,
    );
    const before = { ...services, tasks: [...services.tasks, on('c', 'r4')] };
    const look = () => (played.made.length === 0 ? Promise.resolve(before) : played.start.look());
    await startService({ ...played.start, look, isEnding: ({ incarnation }) => incarnation === 3 });
    t.same(played.made, [['b', 'c']]);
  },
);

t.test('how a task ended is told in words', async (t) => {
  t.equal(endOf(task('a', 'complete', { ContainerStatus: { ExitCode: 0 } })), 'exit code 0');
  t.equal(
    endOf(task('a', 'failed', { Err: 'task: non-zero exit (3)', ContainerStatus: { ExitCode: 3 } })),
    'exit code 3',
  );
  t.equal(endOf(task('a', 'rejected', { Err: 'No such image: x' })), 'No such image: x');
  t.equal(endOf(task('a', 'shutdown')), 'its task is shutdown');
});

/** Plays a start: each look shows the next of `states`, the last one for ever. */
function started(clock: VirtualClock, states: readonly (SwarmTask | undefined)[], nodes?: SwarmNode[]) {
  const left = [...states];
  const made: (readonly string[])[] = [];
  const removed: string[] = [];
  const seen: string[] = [];
  const stopped = new AbortController();
  const doubtful = new DoubtfulNodes(clock);
  const start: Start = {
    look: async () => (made.length === 0 ? view([], nodes) : view([[replica(1), next()]], nodes)),
    create: async (avoided) => {
      made.push(avoided);
      return 'r1';
    },
    remove: async (id) => void removed.push(id),
    lastWords: async () => 'its last words',
    seen: (task) => seen.push(stateOf(task)),
    isEnding: () => false,
    ...{ doubtful, clock, signal: stopped.signal },
  };
  const next = () => (left.length > 1 ? left.shift() : left[0]);
  return { start, made, removed, seen, stopped, doubtful };
}

t.test('a start waits until the task runs, and one that ends says why and leaves nothing', async (t) => {
  const clock = new VirtualClock();
  const well = started(clock, [undefined, task('a', 'preparing'), task('a', 'running')]);
  const address = startService(well.start);
  await clock.advance(2000);
  t.same(await address, { type: 'tcp', host: 'a', port: 1 });
  t.same(well.removed, []);

  const ill = started(clock, [task('a', 'rejected', { Err: 'No such image: x' })]);
  const failed = startService(ill.start);
  await t.rejects(failed, { code: 'start-failed', message: 'No such image: x: its last words' });
  t.same(ill.removed, ['r1']);
  t.same(ill.doubtful.ids, ['a']);
  await clock.advance(61_000);
  t.same(ill.doubtful.ids, [], 'not for ever');
});

t.test('a start that is given up casts doubt on its node, but not while that still fetches the image', async (t) => {
  for (const [state, doubtful, words] of [
    ['starting', ['a'], 'its task is starting'],
    ['preparing', [], 'its node still fetches the image (preparing)'],
  ] as const) {
    const clock = new VirtualClock();
    const late = started(clock, [task('a', state)]);
    const start = startService(late.start);
    start.catch(() => undefined);
    await clock.advance(1000);
    late.stopped.abort(new Error('it takes too long'));
    await t.rejects(start, { message: 'it takes too long' });
    t.same(late.doubtful.ids, doubtful, state);
    t.same(late.removed, ['r1']);
    t.equal(late.seen.at(-1), words);
  }
});

t.test('if no node is left where some are avoided, none are; and then it is said', async (t) => {
  const clock = new VirtualClock();
  const nowhere = task('', 'pending', { Err: 'no suitable node (scheduling constraints)' });
  const nodes = [node('a'), node('b')];
  const played = started(clock, [nowhere], nodes);
  played.doubtful.add('b');
  const start = startService(played.start);
  start.catch(() => undefined);
  await clock.advance(10_000);
  await t.rejects(start, { message: /the Swarm does not place it: no suitable node/ });
  t.same(played.made, [['b'], []]);
  t.same(played.removed, ['r1', 'r1']);
});

/** Stops r1, whose service goes at once. Each look after that is the next of `looks`, the last one for ever. */
function stopping(clock: VirtualClock, looks: readonly (FleetView | Error)[]) {
  const left = [...looks];
  const removed: string[] = [];
  const docker = { getService: (id: string) => ({ remove: async () => void removed.push(id) }) };
  const look = async () => {
    if (removed.length === 0) return view([[replica(1), task('a', 'running')]]);
    const next = left.length > 1 ? left.shift() : left[0];
    if (next instanceof Error) throw next;
    return next as FleetView;
  };
  return stopServices({ ...{ docker: docker as unknown as Docker, look, clock }, replica: replica(1), graceMs: 3000 });
}

t.test('a stop waits until the task has ended, also if a look fails meanwhile', async (t) => {
  const left = (state: string, nodes = [node('a')]): FleetView => ({
    ...view([], nodes),
    tasks: [{ ...task('a', state), ServiceID: 'r1' }],
  });
  const clock = new VirtualClock();
  let isOver = false;
  const well = stopping(clock, [left('running'), new Error('a new leader'), left('running'), left('shutdown')]);
  void well.then(() => {
    isOver = true;
  });
  await clock.advance(60);
  t.notOk(isOver);
  await clock.advance(1000);
  t.equal(await well, undefined);

  const silent = stopping(clock, [left('running')]);
  await clock.advance(8000);
  t.equal(await silent, 'a', 'its node does not tell it');
  t.equal(await stopping(clock, [left('running', [node('a', 'down')])]), 'a');

  const lost = stopping(clock, [new Error('the managers are gone')]);
  lost.catch(() => undefined);
  await clock.advance(8000);
  await t.rejects(lost, { message: 'the managers are gone' });
});

t.test('one that the Swarm has told to end finishes its requests before its service goes', async (t) => {
  const clock = new VirtualClock();
  const told: SwarmTask = { ...task('a', 'running'), ServiceID: 'r1', DesiredState: 'shutdown' };
  const removed: string[] = [];
  let now = view([[replica(1), told]]);
  const docker = { getService: (id: string) => ({ remove: async () => void removed.push(id) }) };
  const stop = (look: () => Promise<FleetView>) =>
    stopServices({ docker: docker as unknown as Docker, look, clock, replica: replica(1), graceMs: 3000 });
  const isOver = stop(async () => now);
  await clock.advance(2000);
  t.same(removed, []);
  now = view([[replica(1), { ...told, Status: { State: 'shutdown' } }]]);
  await clock.advance(600);
  t.equal(await isOver, undefined);
  t.same(removed, ['r1']);
  const down = view([[replica(1), told]], [node('a', 'down')]);
  t.equal(await stop(async () => down), 'a', 'nobody waits for a node that is down');
  t.same(removed, ['r1', 'r1']);
});

t.test('ends are told once, also of services that somebody removed; a node that is down casts doubt', async (t) => {
  const clock = new VirtualClock();
  const stopped = new AbortController();
  const told: string[] = [];
  const logged: string[] = [];
  let now: FleetView | Error = view([
    [replica(1), task('a', 'running')],
    [replica(2), task('a', 'running')],
    [replica(3), task('a', 'running')],
  ]);
  const watching = watchServices({
    look: async () => {
      if (now instanceof Error) throw now;
      return now;
    },
    lastWords: async () => 'no votes today',
    listener: (news: RuntimeNews) =>
      told.push(
        news.type === 'restored'
          ? 'restored'
          : `${news.replica.hostname} ${news.type} ${'reason' in news ? news.reason : ''}`.trim(),
      ),
    ...{ clock, signal: stopped.signal },
    log: createLog(
      'info',
      (line) => logged.push(JSON.parse(line).event),
      () => new Date(),
    ),
  });
  const shows = async (next: FleetView | Error) => {
    now = next;
    told.length = 0;
    await clock.advance(2500);
    return [...told];
  };
  t.same(await shows(now), []);
  const failed = task('a', 'failed', { ContainerStatus: { ExitCode: 1 } });
  t.same(
    await shows(
      view([
        [replica(1), failed],
        [replica(3), task('a', 'running')],
      ]),
    ),
    ['r2 exited its service was removed', 'r1 exited exit code 1: no votes today'],
  );
  const killed = task('a', 'failed', { ContainerStatus: { ExitCode: 137 } });
  t.same(await shows(view([[replica(3), killed]])), ['r3 exited exit code 137'], 'r1 was told before');
  const down = view([[replica(4), task('b', 'running')]], [node('b', 'down')]);
  t.same(await shows(down), ['r4 doubted']);
  t.same(await shows(view([[replica(4), task('b', 'running')]])), [], 'its node is back');
  const drained = view([[replica(4), { ...task('b', 'running'), DesiredState: 'shutdown' }]]);
  t.same(await shows(drained), ['r4 doubted'], 'it is to end');
  t.same(await shows(drained), []);
  t.same(await shows(new Error('the manager is gone')), []);
  t.same(await shows(drained), ['restored']);
  t.same(logged, ['swarm-lost', 'swarm-restored']);
  stopped.abort();
  await watching;
});
