// The parts of a chaos run that decide what it finds: the plan, the client's reader of replies, the comparison of rests.

import t from 'tap';
import { costsOf } from '../../bench/harness/chaos/costs.ts';
import { kindsOf, planFaults } from '../../bench/harness/chaos/plan.ts';
import { ReplyReader } from '../../bench/harness/chaos/reply.ts';
import { leaksSince, type Rest } from '../../bench/harness/chaos/rest.ts';

const TERMS = { seed: 1, lengthMs: 60_000, everyMs: 500, workers: 2, runtime: 'process' } as const;

t.test('a seed gives the same plan again, another seed another', async (t) => {
  t.same(planFaults(TERMS), planFaults(TERMS));
  t.notSame(planFaults(TERMS), planFaults({ ...TERMS, seed: 2 }));
});

t.test('each kind comes once before any comes again', async (t) => {
  const kinds = kindsOf(TERMS);
  const first = planFaults(TERMS).slice(0, kinds.length);
  t.same(first.map(({ kind }) => kind).sort(), [...kinds].sort());
  t.notOk(kindsOf({ ...TERMS, workers: 1 }).includes('worker-killed'));
  t.ok(kindsOf({ ...TERMS, runtime: 'docker' }).includes('engine-killed'));
});

t.test('a reply is whole when its framing says so, however it comes', async (t) => {
  const text =
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Nonce: n1\r\n\r\nhello' +
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n';
  for (let size = 1; size <= text.length; size++) {
    let interims = 0;
    const reader = new ReplyReader(() => {
      interims += 1;
    });
    const replies = [];
    for (let at = 0; at < text.length; at += size) {
      t.equal(replies.length === 2, false);
      replies.push(...reader.push(Buffer.from(text.slice(at, at + size))));
    }
    t.match(replies, [
      { status: 200, bytes: 5, beginning: 'hello' },
      { status: 200, bytes: 5 },
    ]);
    t.equal(replies[0]?.digest, replies[1]?.digest);
    t.equal(interims, 1);
    t.notOk(reader.isAmid);
  }
});

t.test('what is cut within a reply is not whole', async (t) => {
  for (const text of [
    'HTTP/1.1 200 OK\r\nContent-Le',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n',
  ]) {
    const reader = new ReplyReader(() => undefined);
    t.same(reader.push(Buffer.from(text)), []);
    t.ok(reader.isAmid);
  }
  t.throws(() => new ReplyReader(() => undefined).push(Buffer.from('garbage\r\n\r\n')), /begins with "garbage"/);
});

const REST: Rest = {
  ...{ pid: 1, descriptors: { socket: 40, pipe: 9 }, resources: { Timeout: 6 }, processes: { replica: 4 } },
  ...{ inFlight: 0, heapBytes: 20e6, residentBytes: 120e6 },
};

t.test('whatever is more at rest than before is told; what is less is not', async (t) => {
  t.same(leaksSince(REST, { ...REST, descriptors: { socket: 39, pipe: 9 } }), []);
  t.same(leaksSince(REST, { ...REST, descriptors: { socket: 41, pipe: 9 } }), ['descriptors: socket 40 → 41']);
  t.same(leaksSince(REST, { ...REST, resources: { Timeout: 6, Process: 1 } }), ['resources: Process 0 → 1']);
  t.same(leaksSince(REST, { ...REST, processes: { replica: 5 } }), ['processes: replica 4 → 5']);
  t.match(leaksSince(REST, { ...REST, inFlight: 1 }), [/still in flight/]);
  t.match(leaksSince(REST, { ...REST, heapBytes: 60e6 }), [/heap grew by 38 MiB/]);
});

t.test('a failure is put to the account of what its replica was told to do wrong', async (t) => {
  const at = { beganMs: 90, endedMs: 110, wholeMs: 140 };
  const costs = costsOf({
    asked: [
      {
        ...{ is: 'asked', nonce: 'n1', method: 'GET', way: 'kept', sentMs: 95, endMs: 105, bytes: 0, digest: '' },
        ...{ reused: false, interim: false, outcome: 'answered', status: 502, echo: '', life: '' },
        ...{ replyBytes: 0, replyDigest: '', words: '' },
      },
    ],
    deeds: [
      { is: 'up', life: 'a.1', who: 'a', pid: 1, atMs: 1 },
      { is: 'begun', life: 'a.1', nonce: 'n1', method: 'GET', atMs: 96 },
      { is: 'spoilt', life: 'a.1', nonce: 'n1', how: 'garbage', atMs: 97 },
    ],
    happenings: [
      { is: 'fault', kind: 'reload', who: '', ...at },
      { is: 'fault', kind: 'garbage', who: 'a', ...at },
    ],
  });
  t.match(costs, [
    { kind: 'garbage', times: 1, wholeMs: [30] },
    { kind: 'reload', times: 1 },
  ]);
  t.same([...(costs[0]?.failed ?? [])], [['502', 1]]);
  t.equal(costs[1]?.failed.size, 0);
});
