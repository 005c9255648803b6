import t from 'tap';
import type { RuntimeNews } from '../../lib/core/ports.ts';
import { watchContainers } from '../../lib/fleet/runtimes/docker/events.ts';
import { createLog } from '../../lib/log.ts';
import { settle, VirtualClock } from '../fixtures/virtual-clock.ts';

const event = (Action: string, incarnation: number, seconds: number, attributes: Record<string, string> = {}) =>
  `${JSON.stringify({ Action, Actor: { ID: `id${incarnation}`, Attributes: { name: `r${incarnation}`, incarnation: String(incarnation), ...attributes } }, timeNano: seconds * 1e9 })}\n`;

/** Plays the streams one after the other. Each is a list of the pieces that come before it breaks. */
async function watch(streams: readonly (readonly string[])[]) {
  const news: RuntimeNews[] = [];
  const log: { event: string }[] = [];
  const asked: string[] = [];
  const since: (string | undefined)[] = [];
  const clock = new VirtualClock();
  const stop = new AbortController();
  const left = [...streams];
  const watching = watchContainers({
    since: undefined,
    open: async (sinceSeconds) => {
      since.push(sinceSeconds);
      const pieces = left.shift();
      if (pieces === undefined) throw new Error('refused');
      return (async function* () {
        for (const piece of pieces) yield Buffer.from(piece);
      })();
    },
    replicaOf: (labels, hostname) =>
      labels.incarnation === undefined || hostname === undefined
        ? undefined
        : { seat: 1, incarnation: Number(labels.incarnation), hostname },
    asked: (id) => asked.push(id),
    lastWords: async (id) => (id === 'id7' ? 'TypeError: no votes' : ''),
    listener: (one) => news.push(one),
    clock,
    log: createLog(
      'info',
      (line) => log.push(JSON.parse(line)),
      () => new Date(0),
    ),
    signal: stop.signal,
  });
  for (let step = 0; step < 40; step++) {
    await settle();
    await clock.advance(50);
  }
  stop.abort();
  await watching;
  return { news, since, log, asked };
}

const exited = (incarnation: number, reason: string) => ({
  type: 'exited',
  replica: { seat: 1, incarnation, hostname: `r${incarnation}` },
  reason,
});

t.test('die is an exit with its code; kill and unhealthy are doubts', async (t) => {
  const { news } = await watch([
    [
      event('kill', 1, 1),
      event('die', 1, 2, { exitCode: '137' }),
      event('health_status: unhealthy', 2, 3),
      event('health_status: healthy', 2, 4),
    ],
  ]);
  t.match(news.slice(0, 3), [{ type: 'doubted' }, exited(1, 'exit code 137'), { type: 'doubted' }]);
  t.ok(news.slice(3).every((one) => one.type === 'restored'));
});

t.test('a die soon after an oom is told as out of memory, a later one is not', async (t) => {
  const { news } = await watch([
    [
      event('oom', 1, 1),
      event('die', 1, 2, { exitCode: '137' }),
      event('oom', 2, 3),
      event('die', 2, 9, { exitCode: '0' }),
    ],
  ]);
  t.match(news[0], exited(1, 'out of memory: --replica-memory gives it more'));
  t.match(news[1], exited(2, 'exit code 0'));
});

t.test('events come in pieces of any size; what is no event is logged and passed over', async (t) => {
  const text = `${event('die', 1, 1, { exitCode: '1' })}not json\n${event('die', 2, 2, { exitCode: '2' })}`;
  const { news, log } = await watch([[...text]]);
  t.match(news.slice(0, 2), [exited(1, 'exit code 1'), exited(2, 'exit code 2')]);
  t.ok(log.some((line) => line.event === 'docker-event-unread'));
});

t.test('a stream that breaks is taken up since its last event, and the listener is told to look', async (t) => {
  const { news, since } = await watch([
    [event('die', 1, 1700000000.25, { exitCode: '1' })],
    [event('die', 2, 1700000001, { exitCode: '1' })],
  ]);
  t.match(since.slice(0, 3), [undefined, /^1700000000\.2499/, /^1700000000\.9999/]);
  t.match(news.slice(0, 3), [exited(1, 'exit code 1'), { type: 'restored' }, exited(2, 'exit code 1')]);
});

t.test('events of containers that are not replicas are nothing to tell', async (t) => {
  const { news } = await watch([
    [`${JSON.stringify({ Action: 'die', Actor: { ID: 'id', Attributes: {} }, timeNano: 1 })}\n`],
  ]);
  t.same(news, []);
});

t.test('what a container wrote last is part of why it ended, unless it was killed', async (t) => {
  const { news } = await watch([[event('die', 7, 1, { exitCode: '1' }), event('die', 7, 2, { exitCode: '137' })]]);
  const told = news.filter((one) => one.type === 'exited').map(({ reason }) => reason);
  t.same(told.sort(), ['exit code 137', 'exit code 1: TypeError: no votes']);
});

t.test('a container that asks for the holder is answered; one that was renamed is to be looked at', async (t) => {
  const { news, asked } = await watch([
    [
      event('create', 1, 1),
      `${JSON.stringify({ Action: 'create', Actor: { ID: 'q1', Attributes: { 'ringmaster.asks': 'mine' } }, timeNano: 2e9 })}\n`,
      event('rename', 1, 3),
    ],
  ]);
  t.same(asked, ['q1']);
  t.match(news[0], { type: 'restored' });
});
