import t from 'tap';
import { isOfWorker, summariseTicks } from '../../scripts/ticks.ts';

const code = [
  { name: 'relay file:///somewhere/lib/proxy/exchange/exchange.ts:10:3', type: 'JS' },
  { name: 'writeGeneric node:internal/stream_base_commons:93:22', type: 'JS' },
  { name: '__write@@GLIBC_2.2.5', type: 'CPP' },
  { name: 'LoadIC', type: 'CODE' },
  { name: '/usr/bin/node', type: 'SHARED_LIB' },
];

t.test('a tick belongs to what was running, and to the file of ours that had called it', async (t) => {
  const running = (vm: number, ...stack: number[]) => ({ vm, s: stack.flatMap((at) => [at, 0]) });
  const summary = summariseTicks({
    code,
    ticks: [
      running(0, 0),
      running(0, 2, 1, 0),
      running(0, 2, 1),
      running(0, 1, 0),
      running(0, 3, 0),
      running(1, 4, 0),
      running(4, 4),
      running(5, 4),
      running(6, -1),
      running(0, 2, 0),
    ],
  });
  t.same(Object.fromEntries(summary.layers.map(({ name, part }) => [name, part])), {
    'kernel: system calls': 0.3,
    ours: 0.1,
    'Node: its JavaScript': 0.1,
    'V8: builtins': 0.1,
    'V8: garbage collection': 0.1,
    'V8: parsing and compiling': 0.1,
    'Node and V8: C++': 0.1,
    unknown: 0.1,
  });
  t.same(summary.files, [{ name: 'lib/proxy/exchange/exchange.ts', part: 0.5, ownPart: 0.1 }]);
  t.same(summary.functions, [{ name: 'relay  lib/proxy/exchange/exchange.ts', part: 0.1 }]);
});

t.test('a file of ticks is that of a worker if it names what a worker runs', async (t) => {
  const ofWorker = [...code, { name: 'file:///somewhere/lib/worker.ts:1:1', type: 'JS' }];
  t.ok(isOfWorker({ code: ofWorker, ticks: [] }));
  t.notOk(isOfWorker({ code, ticks: [] }));
});
