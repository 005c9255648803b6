// POST /balancer/what-if on the traffic of the real program: what it says is what comes to be.

import t from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';

interface Told {
  readonly source: string | null;
  readonly keyed: number;
  readonly spanMs: number;
  readonly others: number;
  readonly keys: { readonly value: number; readonly error: number };
  readonly situations: readonly {
    readonly name: string;
    readonly replicas: number;
    readonly seats?: readonly {
      readonly seat: number;
      readonly replica: string | null;
      readonly share: { readonly value: number };
    }[];
  }[];
  readonly moved: {
    readonly ring: number | null;
    readonly requests: { readonly value: number } | null;
    readonly keys: { readonly value: number } | null;
  };
  readonly needs?: readonly { readonly replicas: number | null }[];
  readonly measured?: { readonly seen: number; readonly moved: number };
}

const ROOMS = Array.from({ length: 60 }, (_, room) => `room-${room}`);

async function ask(program: Program, body: string): Promise<Told> {
  const answer = await program.json('/balancer/what-if', { method: 'POST', body });
  t.equal(answer.status, 200);
  return answer.body as Told;
}

/** Asks once for each room, and says who took it. */
async function visit(program: Program): Promise<string[]> {
  const takers: string[] = [];
  for (const room of ROOMS) {
    const reply = await fetch(`${program.url}/home`, { headers: { 'x-room': room } });
    const { message } = (await reply.json()) as { readonly message: string };
    takers.push(message.replace('Hello from Server: ', ''));
  }
  return takers;
}

function sharesOf(told: Told, name: string): Map<number, number> {
  const seats = told.situations.find((one) => one.name === name)?.seats ?? [];
  return new Map(seats.map(({ seat, share }) => [seat, share.value]));
}

const counted = (takers: readonly string[], hostname: string) =>
  takers.filter((taker) => taker === hostname).length / takers.length;

for (const workers of ['1', '2']) {
  t.test(`what is predicted comes to be, with ${workers} workers`, async (t) => {
    const program = await startProgram(['--key', 'header:x-room', '--workers', workers]);
    t.teardown(() => program.stop());
    const before = await visit(program);
    const told = await ask(program, '{"then": 5, "targetRate": 1e6, "most": 4}');
    t.match(told, { source: 'header:x-room', keyed: 60, others: 0, keys: { value: 60, error: 0 } });
    t.same(told.needs?.[0]?.replicas, 1);
    for (const [seat, share] of sharesOf(told, 'now')) t.equal(share, counted(before, `server${seat}`));
    t.match(told.situations[1], { name: 'then', replicas: 5 });

    // What came within a second of the change tells nothing of it.
    await eventually('a second is over', async () => (await ask(program, '{}')).spanMs > 1000);
    const body = JSON.stringify({ n: 2, hostnames: ['S4', 'S5'] });
    t.equal((await program.json('/add', { method: 'POST', body })).status, 200);
    const changed = performance.now();
    const after = await visit(program);
    const names = ['server1', 'server2', 'server3', 'S4', 'S5'];
    for (const [seat, share] of sharesOf(told, 'then')) t.equal(share, counted(after, names[seat - 1] as string));
    const moved = before.filter((taker, at) => taker !== after[at]).length;
    t.ok(moved > 0);
    t.equal(told.moved.requests?.value, moved / ROOMS.length);
    t.equal(told.moved.keys?.value, moved / ROOMS.length);

    await eventually('each room has come since', async () => {
      await visit(program);
      const { measured } = await ask(program, `{"changedMsAgo": ${performance.now() - changed}}`);
      return measured?.seen === ROOMS.length && measured.moved === moved;
    });

    const leaves = await ask(program, '{"then": "1-2,4-5"}');
    t.equal((await program.json('/rm', { method: 'DELETE', body: '{"n":1,"hostnames":["server3"]}' })).status, 200);
    const last = await visit(program);
    const rest = sharesOf(leaves, 'then');
    // All rooms came as often as each other, whatever the number of visits.
    for (const [seat, share] of rest) t.equal(share.toFixed(9), counted(last, names[seat - 1] as string).toFixed(9));
  });
}

t.test('without a key the ring alone is told, and what is wrong is refused with the reason', async (t) => {
  const program = await startProgram(['--replicas', '2']);
  t.teardown(() => program.stop());
  for (let count = 0; count < 10; count++) await fetch(`${program.url}/home`);
  const told = await ask(program, '{"then": 4}');
  t.match(told, { source: null, keyed: 0, others: 0, moved: { requests: null, keys: null, ring: 0.5 } });
  t.same([...sharesOf(told, 'then').values()], [0.25, 0.25, 0.25, 0.25]);
  t.match(
    told.situations[0]?.seats?.map(({ replica }) => replica),
    ['server1', 'server2'],
  );
  const refused: [string, RegExp][] = [
    ['x', /not JSON/],
    ['[]', /must be an object like/],
    ['{"than": 4}', /has no member "than"/],
    ['{"then": 0}', /then must be a number of replicas from 1 to 256, or seats/],
    ['{"then": 257}', /from 1 to 256/],
    ['{"then": "1-257"}', /from 1 to 256/],
    ['{"then": "4-1"}', /or seats as "1-4,7", not "4-1"/],
    ['{"then": "0"}', /or seats/],
    ['{"then": "9999"}', /then has seat 9999, but the ring has room for places 1 to 512/],
    ['{"now": "1,512-513"}', /now has seat 513, but the ring has room for places 1 to 512/],
    ['{"now": [1]}', /now must be/],
    ['{"hash": "/etc/passwd"}', /hash must be one of even, mixed/],
    ['{"hashes": ["even", 1]}', /hashes\[1\] must be one of/],
    ['{"hashes": "even"}', /hashes must be a list of at most/],
    ['{"factor": 0.5}', /factor must be "off" or a number from 1/],
    ['{"factors": [1,2,3,4,5]}', /factors must be a list of at most 4/],
    ['{"floor": 1.5}', /floor must be a whole number/],
    ['{"cache": "much"}', /cache must be a size as 512MiB/],
    ['{"cache": []}', /cache must be one to 4 sizes/],
    ['{"objectSize": "0"}', /objectSize must be a size/],
    ['{"targetHits": 101}', /targetHits must be a number from 0 to 100/],
    ['{"most": 300}', /most must be a number from 1 to 256/],
    ['{"changedMsAgo": -1}', /changedMsAgo must be a number from 0/],
    ['{"targetRate": 5, "most": 60, "hashes": ["even", "mixed"]}', /124 fleets to play, more than 64: narrow most/],
  ];
  for (const [body, reason] of refused) {
    const answer = await program.json('/balancer/what-if', { method: 'POST', body });
    t.match(answer, { status: 400, body: { message: reason, status: 'failure' } }, body);
  }
  t.same(
    await ask(program, '{"changedMsAgo": 5}'),
    { source: null, measured: { seen: 0, moved: 0, keys: null, requests: null } },
    'nothing is played for what was measured',
  );
  const empty = await program.json('/balancer/what-if', { method: 'POST' });
  t.equal(empty.status, 200, 'an empty body asks for the fleet as it is');
});

t.test('one what-if is played at a time, and no fleet is needed to imagine one', async (t) => {
  const program = await startProgram(['--key', 'header:x-room', '--replicas', '1']);
  t.teardown(() => program.stop());
  const body = '{"now":3,"then":40,"hashes":["even","mixed","sha256-md5"],"factors":["off",1.25]}';
  const many = await Promise.all(
    Array.from({ length: 4 }, () => program.json('/balancer/what-if', { method: 'POST', body })),
  );
  const statuses = many.map(({ status }) => status).sort();
  t.equal(statuses[0], 200);
  t.ok(
    statuses.every((status) => status === 200 || status === 503),
    statuses.join(),
  );
  const told = many.find(({ status }) => status === 200)?.body as Told;
  t.same(
    told.situations.map(({ name }) => name),
    ['now', 'then', ...Array.from({ length: 6 }, () => 'compared')],
  );
  t.equal((await program.json('/rm', { method: 'DELETE', body: '{"n":1}' })).status, 200);
  const none = await program.json('/balancer/what-if', { method: 'POST', body: '{"then": 3}' });
  t.match(none, { status: 400, body: { message: /now is missing: there is no replica/ } });
  t.equal((await ask(program, '{"now": 2, "then": 3}')).situations.length, 2);
});
