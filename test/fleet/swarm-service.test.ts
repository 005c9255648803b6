// The specification of a replica's service. test/swarm/ plays it on a real Swarm.

import type Docker from 'dockerode';
import t from 'tap';
import { compared, type SecretFile, type SwarmSettings, serviceSpec } from '../../lib/fleet/runtimes/swarm/service.ts';

const REPLICA = { seat: 1, incarnation: 5, hostname: 'r5' };
const SETTINGS: SwarmSettings = {
  ...{ fleet: 'f', network: undefined, command: [], port: 80, volumes: new Map(), environment: new Map() },
  ...{ constraints: ['node.role==worker'], secrets: ['given'], hidden: new Map([['VOTES_URL', 'redis://a']]) },
  ...{ memoryBytes: 2 ** 28, cpus: 0.5, isLockedDown: true, hasInit: false, graceMs: 1500 },
};
const FILES: SecretFile[] = [
  { id: '1', name: 'given', file: 'given' },
  { id: '2', name: 'ringmaster-VOTES_URL-0123456789abcdef', file: 'VOTES_URL' },
];
const made = (settings: SwarmSettings, files = FILES) => serviceSpec(REPLICA, 'app', settings, files, ['lost']);

t.test('a time to end is rounded up, since the node counts whole seconds', async (t) => {
  const grace = (graceMs: number) => made({ ...SETTINGS, graceMs });
  t.match(grace(1500), { TaskTemplate: { ContainerSpec: { StopGracePeriod: 2e9 } } });
  t.match(grace(3000), { TaskTemplate: { ContainerSpec: { StopGracePeriod: 3e9 } } });
});

t.test(
  'a service of an earlier balancer with other secrets differs, and one whose secrets got new names does not',
  async (t) => {
    const Spec = made(SETTINGS) as Docker.ServiceSpec;
    const differing = (settings: SwarmSettings) => {
      const { made: had, now } = compared({ Spec } as Docker.Service, REPLICA, 'app', settings);
      const names = Object.keys(now) as (keyof typeof now)[];
      return names.filter((name) => JSON.stringify(had[name]) !== JSON.stringify(now[name]));
    };
    t.same(differing(SETTINGS), []);
    t.same(differing({ ...SETTINGS, secrets: ['other'] }), ['secrets']);
    t.same(differing({ ...SETTINGS, hidden: new Map() }), ['variables', 'secrets']);
    t.same(differing({ ...SETTINGS, constraints: [] }), ['placement']);
  },
);
