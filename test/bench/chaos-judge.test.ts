// The judge of chaos runs, on histories that are made up: it must convict what breaks a promise, and nothing else.

import t from 'tap';
import type { Asked, Deed, Happening, History } from '../../bench/harness/chaos/history.ts';
import { judge } from '../../bench/harness/chaos/judge.ts';
import type { FaultKind } from '../../bench/harness/chaos/plan.ts';
import type { Conviction, PromisedLimits } from '../../bench/harness/chaos/promises.ts';

const LIMITS: PromisedLimits = {
  ...{ keptBytes: 65_536, maxAttempts: 3, retryBudget: 0.2, leastRetriesPerSecond: 10, freeRetries: 0 },
  wholeWithinMs: 1000,
};

const REPLICAS = ['a', 'b', 'c', 'd'];
const SENT_MS = 20_000;

/** A request of which all is well: sent at 20 s, and answered by `a` 10 ms later. */
function asked(given: Partial<Asked> = {}): Asked {
  return {
    ...{ is: 'asked', nonce: 'n1', method: 'GET', way: 'kept', sentMs: SENT_MS, endMs: SENT_MS + 10 },
    ...{ bytes: 0, digest: 'empty', reused: false, interim: false, outcome: 'answered', status: 200 },
    ...{ echo: 'n1', life: 'a.1', replyBytes: 5, replyDigest: 'five', words: '' },
    ...given,
  };
}

const failed = (status: number, given: Partial<Asked> = {}) =>
  asked({ status, echo: '', life: '', replyBytes: 0, replyDigest: '', ...given });
const broken = (outcome: Asked['outcome'], given: Partial<Asked> = {}) => failed(0, { outcome, ...given });

function deeds(life = 'a.1', given: { nonce?: string; atMs?: number; bytes?: number; digest?: string } = {}): Deed[] {
  const { nonce = 'n1', atMs = SENT_MS + 1, bytes = 0, digest = 'empty' } = given;
  return [
    { is: 'begun', life, nonce, method: 'GET', atMs },
    { is: 'executed', life, nonce, atMs, bytes, digest, replyBytes: 5, replyDigest: 'five' },
    { is: 'answered', life, nonce, atMs: atMs + 1 },
  ];
}

const spoilt = (how: string, life = 'a.1'): Deed => ({ is: 'spoilt', life, nonce: 'n1', how, atMs: SENT_MS + 1 });
const [BEGUN] = deeds() as [Deed, ...Deed[]];

function fault(
  kind: FaultKind,
  who = '',
  given: { beganMs?: number; endedMs?: number; wholeMs?: number } = {},
): Happening {
  const { beganMs = SENT_MS - 5, endedMs = SENT_MS + 5 } = given;
  return { is: 'fault', kind, who, beganMs, endedMs, wholeMs: endedMs + 10, ...given };
}

const logged = (event: string, who: string, atMs: number, words = ''): Happening => ({
  is: 'log',
  event,
  who,
  atMs,
  words,
});

/** Four replicas that serve since 5 s, and what else is given. */
function convictions(asked: Asked[], deeds: Deed[], happenings: Happening[] = []): Conviction[] {
  const ups = REPLICAS.map((who): Deed => ({ is: 'up', life: `${who}.1`, who, pid: 1, atMs: 1000 }));
  const serve = REPLICAS.map((who) => logged('replica-serving', who, 5000));
  const history: History = { asked, deeds: [...ups, ...deeds], happenings: [...serve, ...happenings] };
  return judge(history, LIMITS);
}

const rules = (...given: Parameters<typeof convictions>) => convictions(...given).map(({ rule }) => rule);

t.test('what went well is no offence, and neither is a fault that cost nothing', async (t) => {
  t.same(rules([asked()], deeds()), []);
  t.same(
    rules([asked({ method: 'POST', bytes: 7, digest: 'seven' })], deeds('a.1', { bytes: 7, digest: 'seven' })),
    [],
  );
  t.same(
    rules([asked({ life: 'b.1' })], [BEGUN, spoilt('reset-before'), ...deeds('b.1')], [fault('reset-before', 'a')]),
    [],
  );
});

t.test('a POST that was begun twice, whatever the client was told', async (t) => {
  const twice = [...deeds('a.1'), ...deeds('b.1')];
  const kill = [fault('kill', 'a')];
  t.same(rules([asked({ method: 'POST' })], twice, kill), ['executed twice']);
  t.same(rules([failed(502, { method: 'POST' })], twice, kill), ['executed twice']);
  t.same(rules([broken('ended', { method: 'POST', way: 'left' })], twice, kill), ['executed twice']);
  t.same(rules([asked({ method: 'PUT' })], twice, kill), [], 'a PUT may be');
});

t.test('a POST that a replica had, but whose answer says that it may be sent again', async (t) => {
  t.same(rules([failed(503, { method: 'POST' })], [BEGUN], [fault('kill', 'a')]), ['told that it may be repeated']);
  t.same(rules([failed(503, { method: 'POST' })], [], [fault('kill', 'a')]), []);
  t.same(rules([failed(502, { method: 'POST' })], [BEGUN], [fault('kill', 'a')]), []);
});

t.test('an answer that nobody gave, or that belongs to another request', async (t) => {
  t.same(rules([asked()], []), ['answered by nobody']);
  t.same(rules([asked()], deeds('b.1')), ['answered by nobody']);
  t.same(rules([asked({ echo: 'n2' })], deeds()), ['reply to another']);
  t.same(rules([asked({ echo: '' })], deeds()), ['reply to another']);
});

t.test('a reply that looks whole and is not', async (t) => {
  t.same(rules([asked({ replyBytes: 2, replyDigest: 'two' })], deeds()), ['truncated reply']);
  t.same(rules([asked({ replyDigest: 'other' })], deeds()), ['truncated reply']);
});

t.test('a body that the client did not send', async (t) => {
  const put = asked({ method: 'PUT', bytes: 7, digest: 'seven' });
  t.same(rules([put], deeds('a.1', { bytes: 6, digest: 'six' })), ['body changed']);
  t.same(rules([put], deeds('a.1', { bytes: 7, digest: 'other' })), ['body changed']);
});

t.test('an idempotent request that failed while others were well', async (t) => {
  const rule = ['failed though one was well'];
  t.same(rules([failed(502)], [BEGUN, spoilt('reset-before')], [fault('reset-before', 'a')]), rule);
  t.same(rules([failed(502, { method: 'PUT', bytes: 65_536 })], [BEGUN], [fault('kill', 'a')]), rule);
  t.same(rules([failed(502)], [BEGUN, spoilt('reset-head')], [fault('reset-head', 'a')]), rule);
  t.same(
    rules([failed(502, { interim: true })], [BEGUN, spoilt('reset-interim')], [fault('reset-interim', 'a')]),
    rule,
  );
  t.same(rules([failed(503)], [], [fault('stop', 'a')]), rule);
  t.same(rules([broken('reset')], [], [fault('kill', 'a')]), rule);
  t.same(rules([failed(504)], [BEGUN], [fault('kill', 'a')]), rule, 'a killed replica is not silent');
});

t.test('what may fail although others are well', async (t) => {
  t.same(rules([failed(502)], [BEGUN, spoilt('garbage')], [fault('garbage', 'a')]), [], 'it was answered badly');
  t.same(rules([broken('cut', { status: 200 })], [BEGUN], [fault('kill', 'a')]), [], 'so had this one');
  t.same(rules([failed(504)], [BEGUN], [fault('hang', 'a')]), [], 'it took too long');
  t.same(rules([failed(502, { method: 'POST' })], [BEGUN], [fault('kill', 'a')]), [], 'it may not be repeated');
  t.same(rules([failed(502, { method: 'PUT', bytes: 70_000 })], [BEGUN], [fault('kill', 'a')]), [], 'its body is gone');
  t.same(rules([failed(503)], [], [fault('descriptors-short')]), []);
  t.same(rules([broken('reset')], [], [fault('worker-killed')]), []);
  t.same(rules([broken('ended', { way: 'half-closed' })], [BEGUN]), [], 'its client did not wait');
});

t.test('nobody was well: all were befallen, had not come up yet, or had gone', async (t) => {
  const all = REPLICAS.map((who) => fault('stop', who));
  t.same(rules([failed(503)], [], all), []);
  t.same(rules([failed(502)], [BEGUN], [fault('outage')]), []);
  const gone = REPLICAS.slice(1).map((who): Happening => ({ is: 'removed', who, askedMs: 9000, atMs: 9500 }));
  t.same(rules([failed(503)], [], [fault('kill', 'a'), ...gone]), []);
  t.same(rules([failed(503)], [], [fault('kill', 'a'), ...gone.slice(1)]), ['failed though one was well']);
});

t.test('a reply that broke though its replica had sent all of it, or nothing had befallen that one', async (t) => {
  t.same(rules([broken('cut', { status: 200 })], deeds(), [fault('kill', 'a')]), ['failed though one was well']);
  t.same(rules([broken('cut', { status: 200 })], [BEGUN], [fault('kill', 'b')]), ['failed though one was well']);
});

t.test('a failure while nothing was done that may cost one', async (t) => {
  const rule = ['failed without a fault'];
  const post = { method: 'POST' };
  t.same(rules([failed(502, post)], [BEGUN]), rule);
  for (const kind of [
    'storm',
    'reload',
    'upgrade',
    'guardian-killed',
    'disk-full',
    'log-stalled',
    'clock-moved',
  ] as const) {
    t.same(rules([failed(502, post)], [BEGUN], [fault(kind)]), rule, kind);
  }
  t.same(rules([failed(502, post)], [BEGUN], [fault('kill', 'a', { beganMs: 1, endedMs: 2 })]), rule, 'long ago');
});

t.test('a failure in the words of the budget, which was not used up', async (t) => {
  const words = 'too many requests are being repeated';
  const reset = [fault('reset-before', 'a')];
  t.same(rules([failed(502, { words })], [BEGUN], reset), ['failed though one was well']);
  const others = Array.from({ length: 100 }, (_, index) => [
    ...deeds('a.1', { nonce: `x${index}` }),
    ...deeds('b.1', { nonce: `x${index}` }),
  ]).flat();
  t.same(rules([failed(502, { words })], [BEGUN, ...others], reset), []);
  const outage = (agoMs: number) => fault('outage', '', { beganMs: SENT_MS - agoMs - 2000, endedMs: SENT_MS - agoMs });
  t.same(rules([failed(502, { words })], [BEGUN], [...reset, outage(3000)]), [], 'repeats found nobody in it');
  t.same(rules([failed(502, { words })], [BEGUN], [...reset, outage(12_000)]), ['failed though one was well']);
});

t.test('a failure in the words of an overload, with a reason for one and without', async (t) => {
  const shed = failed(503, { words: 'more requests come than the replicas can do' });
  t.same(rules([shed], []), ['failed though one was well']);
  t.same(rules([{ ...shed, method: 'POST' }], []), ['failed without a fault']);
  const stopped = [fault('stop', 'a', { beganMs: SENT_MS - 9000, endedMs: SENT_MS - 8000 })];
  t.same(rules([shed, { ...shed, method: 'POST' }], [], stopped), []);
});

t.test('a failure in the words of a quarantine, when replicas ended and when none did', async (t) => {
  const words = 'this request was in flight at two replicas that ended, so it is not sent to another one for 60 s';
  t.same(rules([failed(503, { words })], []), ['failed though one was well']);
  t.same(rules([failed(503, { words })], [], [fault('garbage', 'a')]), ['failed though one was well']);
  t.same(rules([failed(503, { words })], [], [fault('kill', 'a')]), []);
});

t.test('more repeats than the budget', async (t) => {
  const repeated = (count: number) =>
    Array.from({ length: count }, (_, index) => [
      ...deeds('a.1', { nonce: `x${index}`, atMs: SENT_MS + index }),
      ...deeds('b.1', { nonce: `x${index}`, atMs: SENT_MS + index }),
    ]).flat();
  t.same(rules([asked()], [...deeds(), ...repeated(100)]), []);
  t.same(rules([asked()], [...deeds(), ...repeated(101)]), ['repeated beyond the budget']);
});

t.test('what is sent to a replica after its removal was answered', async (t) => {
  const removed: Happening = { is: 'removed', who: 'a', askedMs: SENT_MS - 100, atMs: SENT_MS - 10 };
  t.same(rules([asked()], deeds(), [removed]), ['sent after the removal']);
  t.same(rules([asked()], deeds(), [{ ...removed, atMs: SENT_MS + 5 }]), [], 'before the answer it may be');
  const again: Deed = { is: 'up', life: 'a.2', who: 'a', pid: 2, atMs: SENT_MS - 5 };
  t.same(rules([asked({ life: 'a.2' })], [again, ...deeds('a.2')], [removed]), [], 'the next of that name');
});

t.test('a fleet that is not whole in time, and a replica that is lost without a reason', async (t) => {
  t.same(rules([], [], [fault('kill', 'a', { wholeMs: SENT_MS + 900 })]), []);
  t.same(rules([], [], [fault('kill', 'a', { wholeMs: SENT_MS + 1100 })]), ['not whole in time']);
  const { wholeMs: _, ...never } = fault('kill', 'a') as Extract<Happening, { is: 'fault' }>;
  t.same(rules([], [], [never]), ['not whole in time']);
  const lost = logged('replica-lost', 'a', SENT_MS + 100);
  t.same(rules([], [], [lost]), ['lost without a fault']);
  t.same(rules([], [], [lost, fault('descriptors-short')]), ['lost without a fault']);
  t.same(rules([], [], [lost, fault('stop', 'b')]), ['lost without a fault']);
  t.same(rules([], [], [lost, fault('stop', 'a')]), []);
  t.same(rules([], [], [lost, { is: 'lag', atMs: SENT_MS, forMs: 900 }]), [], 'the machine did not run it');
  const unmade = logged('replica-lost', 'b', SENT_MS + 100, 'cannot create b: Docker does not run: start it');
  t.same(rules([], [], [unmade, fault('events-cut')]), [], 'the engine could not be reached');
  t.same(rules([], [], [lost, fault('events-cut')]), ['lost without a fault']);
});

t.test('a mistake of the program, and a request that never ends', async (t) => {
  t.same(rules([], [], [logged('uncaught', '', SENT_MS, 'undefined is no function')]), ['mistake']);
  t.same(rules([failed(500)], [BEGUN], [fault('kill', 'a')])[0], 'mistake');
  t.same(rules([broken('timeout')], [BEGUN], [fault('hang', 'a')])[0], 'never over');
});
