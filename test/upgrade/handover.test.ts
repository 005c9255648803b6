// The value that is handed over: it comes out as it went in, or is refused in words.

import t from 'tap';
import { emptyFleet, type FleetState, NO_LAPSES, type Seat } from '../../lib/core/fleet/fleet-state.ts';
import { HEALTHY } from '../../lib/core/fleet/health.ts';
import {
  descriptorsOf,
  type HandedService,
  type Handover,
  handoverText,
  readHandover,
  renumbered,
  shifted,
  unfit,
} from '../../lib/upgrade/handover.ts';

const ref = (seat: number, extraPlaces?: readonly number[]) => ({
  ...{ seat, incarnation: 10 + seat, hostname: `server${seat}` },
  ...(extraPlaces === undefined ? {} : { extraPlaces }),
});
const address = (seat: number) => ({ type: 'unix' as const, path: `/tmp/${seat}.sock` });
const common = (seat: number, extraPlaces?: readonly number[]) => ({
  ...{ replica: ref(seat, extraPlaces), joined: seat, lapses: NO_LAPSES, insists: false, isGiven: false },
  firstServedMs: Number.NEGATIVE_INFINITY,
});
const serving = (seat: number, extraPlaces?: readonly number[]) => ({
  ...common(seat, extraPlaces),
  ...{ phase: 'serving' as const, address: address(seat), sinceMs: 100, health: HEALTHY },
});
const seats: readonly Seat[] = [
  serving(1, [4, 5]),
  { ...common(2), phase: 'vacant', startAtMs: 700, firstServedMs: 50, predecessor: serving(2) },
  { ...common(3), phase: 'started', address: address(3), sinceMs: 200, giveUpAtMs: Number.POSITIVE_INFINITY },
];
const state: FleetState = { ...emptyFleet(7, 13), seats };
const service: HandedService = { port: 5000, host: '127.0.0.1', admin: 'the public port', runtime: 'process' };
const process = (seat: number, stdout: number, stderr: number) => ({
  ...{ replica: ref(seat), address: address(seat), pid: 1000 + seat, startTicks: '77', stdout, stderr },
});
const handover: Handover = {
  ...{ version: 1, pid: 99, service, state, atMs: 1234, made: {}, drawnToken: 'secret' },
  plane: { descriptors: [20, 22], ids: { seed: 3, dealt: 10, named: 20 } },
  adminDescriptor: 30,
  replicas: { directory: '/tmp/r', processes: [process(1, 40, 41), process(3, 43, 42)] },
};

t.test('it is read as it was written, times without an end included', async (t) => {
  t.same(readHandover(handoverText(handover)), handover);
  const bare = { ...handover, adminDescriptor: undefined, replicas: undefined, drawnToken: undefined };
  t.match(readHandover(handoverText(bare)), bare);
});

t.test('what this program does not know is refused, with the reason', async (t) => {
  const refusal = (text: string, message: RegExp) =>
    t.throws(() => readHandover(text), { code: 'upgrade-refused', message });
  refusal(handoverText({ ...handover, version: 2 as 1 }), /in version 2, and this program takes 1/);
  refusal('{', /no JSON/);
  refusal('7', /no value of ours/);
  refusal('{}', /in version undefined/);
  for (const key of ['pid', 'service', 'plane', 'state', 'atMs', 'made']) {
    refusal(handoverText({ ...handover, [key]: null } as unknown as Handover), /not whole/);
  }
  const { plane } = handover;
  refusal(handoverText({ ...handover, plane: { ...plane, descriptors: ['a' as unknown as number] } }), /not whole/);
});

t.test('the next process has the descriptors in a row, in the order in which it is given them', async (t) => {
  t.same(descriptorsOf(handover), [20, 22, 30, 40, 41, 43, 42]);
  const next = renumbered(handover, 4);
  t.same(descriptorsOf(next), [4, 5, 6, 7, 8, 9, 10]);
  t.same(
    next.replicas?.processes.map(({ stdout, stderr }) => [stdout, stderr]),
    [
      [7, 8],
      [9, 10],
    ],
  );
  t.same(descriptorsOf(renumbered({ ...handover, adminDescriptor: undefined, replicas: undefined }, 4)), [4, 5]);
});

t.test('times are those of the clock of the next process', async (t) => {
  const { seats } = shifted({ ...state, leaving: [{ ...leaving(), retryAtMs: 5 }] }, 1000);
  t.match(seats[0], { sinceMs: 1100, firstServedMs: Number.NEGATIVE_INFINITY });
  t.match(seats[1], { startAtMs: 1700, firstServedMs: 1050, predecessor: { sinceMs: 1100 } });
  t.match(seats[2], { sinceMs: 1200, giveUpAtMs: Number.POSITIVE_INFINITY });
  t.same(shifted(shifted(state, 1000), -1000), state, 'nothing else changes');
});

t.test('a process that has other settings is told which of them takes a restart', async (t) => {
  t.equal(unfit(handover, service, 512), undefined);
  t.equal(unfit(handover, { ...service, port: 80 }, 512), '--port changes from 5000 to 80: that takes a restart');
  t.match(unfit(handover, { ...service, host: '0.0.0.0' }, 512), /^--host changes/);
  t.match(unfit(handover, { ...service, admin: '/run/a.sock' }, 512), /^--admin-port.* to \/run\/a.sock/);
  t.match(unfit(handover, { ...service, runtime: 'given' }, 512), /--upstream changes from process to given/);
  t.match(unfit(handover, service, 4), /has place 5 on the ring, which has room for 4/);
});

function leaving() {
  return { replica: ref(9), drains: false, isGiven: false, failedStops: 0 };
}
