// The text of a list of members: what is written is read again, and what cannot be understood is refused in words.

import t from 'tap';
import { emptyFleet, type FleetState } from '../../lib/core/fleet/fleet-state.ts';
import { type MemberList, membersOf, parseMemberList, writeMemberList } from '../../lib/core/members/member-list.ts';
import { fleetAfter } from '../fixtures/fleet-rules.ts';

const LIMITS = { maxReplicas: 4, maxPlace: 100 };

function listIn(text: string): MemberList {
  const parsed = parseMemberList(text, LIMITS);
  if ('fault' in parsed) throw new Error(parsed.fault);
  return parsed.list;
}

function faultIn(text: string): string {
  const parsed = parseMemberList(text, LIMITS);
  return 'fault' in parsed ? parsed.fault : 'none';
}

const json = (members: unknown, more = {}) => JSON.stringify({ version: 1, members, ...more });
const app = (more = {}) => ({ places: [1], hostname: 'app1', address: '10.0.0.1:80', ...more });

t.test('what is written is read again', async (t) => {
  const list: MemberList = {
    controller: 'http://10.0.0.1:5000',
    members: [
      { places: [2, 5], hostname: 'app2', address: { type: 'tcp', host: '::1', port: 80 }, isDrained: true },
      { places: [1], hostname: 'app1', address: { type: 'unix', path: '/run/a b' }, isDrained: false },
      { places: [3], hostname: '10.0.0.3:80', address: undefined, isDrained: false },
    ],
  };
  t.same(listIn(writeMemberList(list)), list);
  const empty: MemberList = { controller: undefined, members: [] };
  t.same(listIn(writeMemberList(empty)), empty);
});

t.test('a line for each, as people write it', async (t) => {
  const text = '# ours\ncontroller unix:/run/admin\n\n 2,5 app2 [::1]:80 drained\n1 app1 -\n';
  t.same(listIn(text), {
    controller: 'unix:/run/admin',
    members: [
      { places: [2, 5], hostname: 'app2', address: { type: 'tcp', host: '::1', port: 80 }, isDrained: true },
      { places: [1], hostname: 'app1', address: undefined, isDrained: false },
    ],
  });
  t.equal(listIn('7 a a:1').controller, undefined);
});

t.test('what is wrong is said, and where', async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['', 'it names no members'],
    ['# nobody\n', 'it names no members'],
    ['{"version":1,"members":[{"pla', 'it is no JSON: '],
    [json([], { version: 2 }), 'version must be 1, not 2'],
    [json([], { more: 1 }), '"more" is no member of such a list'],
    [json([], { controller: 'x' }), 'controller must be a URL, not "x"'],
    [json([], { controller: 5 }), 'controller must be a URL, not 5'],
    [json({}), 'members must be a list, not {}'],
    [json([5]), 'members[0] must be an object, not 5'],
    [json([null]), 'members[0] must be an object, not null'],
    [json([app({ weight: 2 })]), 'members[0] has "weight", which is no member of it'],
    [json([app({ drained: 'yes' })]), 'members[0].drained must be true or false, not "yes"'],
    [json([app({ places: undefined })]), 'members[0]: places must be 1 to 16 whole numbers'],
    [json([app({ places: [] })]), 'members[0]: places must be'],
    [json([app({ places: [0] })]), 'members[0]: places must be'],
    [json([app({ places: [1, 1] })]), 'members[0]: places must be'],
    [json([app({ places: Array.from({ length: 17 }, (_, one) => one + 1) })]), 'members[0]: places must be'],
    [json([app({ hostname: 5 })]), 'members[0]: 5 is no valid hostname'],
    [json([app({ hostname: 'a\r\nb' })]), 'members[0]: "a\\r\\nb" is no valid hostname'],
    [json([app({ address: 5 })]), 'members[0]: the address must be host:port or unix:/path, not 5'],
    [json([app({ address: 'nowhere' })]), 'members[0]: the address must be'],
    ['controller', 'line 1: controller takes a URL'],
    ['\ncontroller a', 'line 2: controller takes a URL'],
    ['1 app1', 'line 1: the address must be host:port or unix:/path, not ""'],
    ['# a\nx app1 a:1', 'line 2: places must be'],
    ['1 app1 a:1 gone', 'line 1: after PLACES NAME ADDRESS there may be the word drained'],
    ['1 app1 a:1 drained now', 'line 1: after PLACES NAME ADDRESS there may be the word drained'],
    ['1 a a:1\n2 b a:2\n3 c a:3\n4 d a:4\n5 e a:5', 'it names 5 replicas, and --max-replicas is 4'],
    ['101 a a:1', 'it has place 101, and the ring has room for 100: see --slots'],
    ['1,2 a a:1\n2 b a:2', 'place 2 is there twice'],
    ['1 a a:1\n2 A a:2', 'a is there twice'],
    ['1 a host:1\n2 b HOST:1', 'host:1 is there twice'],
  ];
  for (const [text, fault] of cases) t.equal(faultIn(text).slice(0, fault.length), fault, JSON.stringify(text));
});

t.test(
  'a controller tells of a replica that it starts once that serves, and until then of the one before',
  async (t) => {
    const told = (state: FleetState) =>
      membersOf(state).map(({ places, hostname, address, isDrained }) => ({
        ...{ places: places.join(), hostname, isDrained },
        port: address?.type === 'tcp' ? address.port : undefined,
      }));
    const wishes = [
      { hostname: 'own', weight: 2 },
      { hostname: 'given', weight: 1, address: { type: 'tcp', host: 'a', port: 9 } as const },
    ];
    const begun = fleetAfter(emptyFleet(1), { type: 'add', wishes, slowly: false });
    const given = { places: '3', hostname: 'given', isDrained: false, port: 9 };
    t.same(told(begun), [{ places: '1,2', hostname: 'own', isDrained: false, port: undefined }, given]);
    const up = (state: FleetState, port: number) => {
      const { replica } = state.seats[0] as FleetState['seats'][number];
      return fleetAfter(
        state,
        { type: 'starting', incarnation: replica.incarnation },
        { type: 'started', replica, address: { type: 'tcp', host: 'a', port } },
      );
    };
    const started = up(begun, 1);
    t.equal(told(started)[0]?.port, undefined, 'not yet');
    const serving = fleetAfter(started, { type: 'probed', incarnation: 1, failure: undefined });
    t.same(told(serving), [{ places: '1,2', hostname: 'own', isDrained: false, port: 1 }, given]);
    const drained = fleetAfter(serving, { type: 'drain', incarnation: 1, isDrained: true });
    t.equal(told(drained)[0]?.isDrained, true);
    const rolled = fleetAfter(serving, { type: 'replace', incarnation: 1 });
    t.same(told(up(rolled, 2))[0], told(serving)[0], 'the one before, as long as it gets requests');
    const next = up(rolled, 2).seats[0]?.replica.incarnation ?? 0;
    t.equal(told(fleetAfter(up(rolled, 2), { type: 'probed', incarnation: next, failure: undefined }))[0]?.port, 2);
  },
);
