// What the tasks of a Swarm service mean as members. test/swarm/ plays it on a real Swarm.

import t from 'tap';
import { membersIn } from '../../lib/fleet/members/swarm.ts';
import type { SwarmNode, SwarmPort, SwarmTask } from '../../lib/fleet/runtimes/swarm/task.ts';

const NODES: SwarmNode[] = ['one', 'two'].map((name, index) => ({
  ID: `id-${name}`,
  Description: { Hostname: name },
  Status: { Addr: `10.0.0.${index + 1}` },
}));
const service = (...Ports: SwarmPort[]) => ({ ID: 'x', Spec: { EndpointSpec: { Ports } } });
const WEB = { service: 'web', port: 80, network: '' };
const published = (PublishedPort: number, PublishMode = 'host') => ({
  PortStatus: { Ports: [{ Protocol: 'tcp', TargetPort: 80, PublishedPort, PublishMode }] },
});

/** A task in a slot, as Swarm wants it and as it is; `port` is the one of its node. */
function task(Slot: number, desired = 'running', state = 'running', port = 3000 + Slot, day = 1): SwarmTask {
  return {
    ...{
      ID: 'id',
      ServiceID: 'x',
      Slot,
      NodeID: 'id-one',
      CreatedAt: `2026-01-0${day}T00:00:00Z`,
      DesiredState: desired,
    },
    Status: { State: state, ...published(port) },
  };
}
const members = (...tasks: SwarmTask[]) => membersIn(service(), tasks, NODES, WEB);
const shown = (...tasks: SwarmTask[]) =>
  members(...tasks)
    .map(({ hostname, address }) => `${hostname} ${address?.type === 'tcp' ? address.port : '-'}`)
    .join(', ');

t.test('each slot is a member with a place of its own, at the port that its node publishes', async (t) => {
  t.same(members(task(10), task(2)), [
    { hostname: 'web.2', address: { type: 'tcp', host: '10.0.0.1', port: 3002 }, seat: 2 },
    { hostname: 'web.10', address: { type: 'tcp', host: '10.0.0.1', port: 3010 }, seat: 10 },
  ]);
});

t.test('a slot stays while its task is replaced', async (t) => {
  t.equal(shown(task(1), task(2, 'shutdown', 'running'), task(2, 'ready', 'preparing')), 'web.1 3001, web.2 -');
  t.equal(shown(task(1, 'shutdown', 'shutdown'), task(1, 'running', 'running', 4001, 2)), 'web.1 4001');
  t.equal(shown(task(1, 'running', 'running', 4001, 2), task(1)), 'web.1 3001', 'the older one, while both are wanted');
  t.equal(shown(task(1), task(3, 'shutdown', 'running')), 'web.1 3001', 'a slot that is given up is none');
});

t.test('a task that cannot be reached has no address', async (t) => {
  const one = task(1);
  t.equal(shown({ ...one, NodeID: 'id-unknown' }), 'web.1 -');
  t.equal(shown({ ...one, Status: { State: 'running' } }), 'web.1 -');
  t.equal(shown({ ...one, Status: { State: 'running', ...published(80, 'ingress') } }), 'web.1 -');
});

t.test('a node that sees itself at no address of others is where managers reach it', async (t) => {
  const hostOn = (Addr: string, manager?: string) => {
    const node = {
      ID: 'id-one',
      Status: { Addr },
      ...(manager === undefined ? {} : { ManagerStatus: { Addr: manager } }),
    };
    const address = membersIn(service(), [task(1)], [node], WEB)[0]?.address;
    return address?.type === 'tcp' ? address.host : undefined;
  };
  t.equal(hostOn('0.0.0.0', '10.0.0.7:2377'), '10.0.0.7');
  t.equal(hostOn('127.0.0.1', '[fd00::7]:2377'), 'fd00::7');
  t.equal(hostOn('127.0.0.1', '127.0.0.1:2377'), '127.0.0.1', 'a Swarm of one node, for itself');
  t.equal(hostOn('127.0.0.1'), '127.0.0.1');
  t.equal(hostOn('10.0.0.1', '10.0.0.7:2377'), '10.0.0.1');
});

t.test('a service that runs on every node: the node is the member', async (t) => {
  const { Slot: _, ...global } = task(1);
  const { NodeID: __, ...unplaced } = global;
  t.same(
    membersIn(service(), [{ ...global, NodeID: 'id-two' }, global, unplaced], NODES, WEB).map((one) => one.hostname),
    ['web.one', 'web.two'],
  );
});

t.test('in a network that is shared, tasks are at their own addresses', async (t) => {
  const attached = {
    ...task(1),
    NetworksAttachments: [
      { Network: { Spec: { Name: 'ingress' } }, Addresses: ['10.255.0.2/16'] },
      { Network: { Spec: { Name: 'apps' } }, Addresses: ['10.0.1.5/24'] },
    ],
  };
  const within = (network: string) => membersIn(service(), [attached], NODES, { ...WEB, network })[0]?.address;
  t.same(within('apps'), { type: 'tcp', host: '10.0.1.5', port: 80 });
  t.equal(within('others'), undefined);
});

t.test('the port is the only one that the service publishes, unless it is said', async (t) => {
  const terms = { ...WEB, port: undefined };
  const [member] = membersIn(service({ TargetPort: 80 }, { TargetPort: 53, Protocol: 'udp' }), [task(1)], NODES, terms);
  t.match(member, { address: { port: 3001 } });
  const refused =
    (...ports: SwarmPort[]) =>
    () =>
      membersIn(service(...ports), [task(1)], NODES, terms);
  t.throws(refused(), /web publishes 0 ports: .* swarm:web:8080/);
  t.throws(refused({ TargetPort: 80 }, { TargetPort: 81 }), /2 ports/);
});
