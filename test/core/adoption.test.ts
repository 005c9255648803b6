import t from 'tap';
import { observe, plan } from '../../lib/core/fleet/fleet.ts';
import { emptyFleet, members } from '../../lib/core/fleet/fleet-state.ts';
import type { FleetRules } from '../../lib/core/fleet/seats.ts';
import type { Address, PresentReplica } from '../../lib/core/ports.ts';
import { FLEET_RULES } from '../fixtures/fleet-rules.ts';

const rules: FleetRules = { ...FLEET_RULES, adoptTimeoutMs: 3000 };
const address: Address = { type: 'unix', path: '/a.sock' };
const adopted = (...present: PresentReplica[]) =>
  observe(emptyFleet(1, 1000), { type: 'adopt', present, atMs: 10 }, rules);
const names = (...present: PresentReplica[]) => members(adopted(...present)).map(({ hostname }) => hostname);
const left = (seat: number, incarnation: number, hostname: string) => ({ replica: { seat, incarnation, hostname } });
const ended = { address: undefined };

t.test('when all have ended, as after a reboot, all come back under their names, in their order', async (t) => {
  const fleet = [
    { ...left(3, 7, 'S5'), ...ended },
    { ...left(1, 5, 'server1'), ...ended },
    { ...left(2, 9, 'server_x'), ...ended },
  ];
  t.same(names(...fleet), ['server1', 'S5', 'server_x']);
  const state = adopted(...fleet);
  t.same(
    plan(state, 10, rules).map((action) => action.type),
    ['stop', 'stop', 'stop'],
    'the old ones give their names back first',
  );
  const free = [5, 7, 9].reduce(
    (rest, incarnation) => observe(rest, { type: 'stopped', incarnation, atMs: 20 }, rules),
    state,
  );
  t.match(plan(free, 20, rules), [
    { type: 'start', replica: { hostname: 'server1', seat: 1 } },
    { type: 'start', replica: { hostname: 'S5', seat: 3 } },
  ]);
});

t.test(
  'one of several that has ended is replaced under another name; one that was never begun keeps its own',
  async (t) => {
    const [, S5, other] = names(
      { ...left(1, 5, 'server1'), address },
      { ...left(2, 7, 'S5'), ...ended, untried: true },
      { ...left(3, 8, 'S6'), ...ended },
    );
    t.equal(S5, 'S5');
    t.match(other, /^server_/);
  },
);

t.test('one that hangs has as long as one that serves would', async (t) => {
  const state = adopted({ ...left(1, 5, 'server1'), address });
  const probed = (atMs: number) => observe(state, { type: 'probed', incarnation: 5, failure: 'timeout', atMs }, rules);
  t.match(probed(3009).seats, [
    { phase: 'started', replica: { hostname: 'server1' }, complaint: { reason: 'timeout' } },
  ]);
  t.match(probed(3010).seats, [{ phase: 'vacant', replica: { hostname: /^server_/ }, lapses: { reason: 'timeout' } }]);
});

t.test('of two that claim the same place the younger has it, the other is stopped', async (t) => {
  const state = adopted(
    { ...left(1, 5, 'server1'), address },
    { replica: { seat: 2, extraPlaces: [1], incarnation: 6, hostname: 'heavy' }, address },
  );
  t.same(
    members(state).map(({ hostname }) => hostname),
    ['heavy'],
  );
  t.match(plan(state, 10, rules), [{ type: 'stop', replica: { incarnation: 5 } }]);
});

t.test('one that was begun a moment ago has the rest of its time to come up, and its name', async (t) => {
  const state = adopted({ ...left(1, 5, 'S5'), address, ageMs: 4000 });
  const probed = (atMs: number) => observe(state, { type: 'probed', incarnation: 5, failure: 'refused', atMs }, rules);
  t.match(probed(6009).seats, [{ phase: 'started', replica: { hostname: 'S5' } }]);
  t.match(probed(6010).seats, [{ phase: 'vacant', replica: { hostname: 'S5' } }]);
});

t.test('what came with a change that was not finished is stopped', async (t) => {
  const state = adopted(
    { ...left(1, 5, 'server1'), address },
    { ...left(2, 7, 'S5'), address, isUnfinished: true },
    { ...left(3, 8, 'S6'), ...ended, isUnfinished: true },
  );
  t.same(
    members(state).map(({ hostname }) => hostname),
    ['server1'],
  );
  t.same(
    plan(state, 10, rules).map((action) => [action.type, action.replica.hostname]),
    [
      ['stop', 'S5'],
      ['stop', 'S6'],
    ],
  );
});
