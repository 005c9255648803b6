// W3C Trace Context: which traceparents are valid, what becomes of others, and that all attempts have the same.

import t from 'tap';
import { isTraceparent, traceparentOf, withTrace } from '../../lib/proxy/access/trace-context.ts';
import { TraceIds } from '../../lib/proxy/access/trace-ids.ts';
import { played } from '../fixtures/played.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const VALID = `00-${TRACE}-${PARENT}-01`;

t.test('what is valid', async (t) => {
  for (const value of [VALID, `00-${TRACE}-${PARENT}-00`, `01-${TRACE}-${PARENT}-ff`, `cc-${VALID.slice(3)}-more`]) {
    t.ok(isTraceparent(value), value);
  }
  const wrong = [
    '',
    VALID.toUpperCase(),
    `ff-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `${VALID}-more`,
    `${VALID}0`,
    `cc${VALID.slice(2)}0`,
    `00-${TRACE}-${PARENT}`,
    `00-${TRACE}-${PARENT}-0`,
    `00-${TRACE.slice(1)}-${PARENT}-01`,
    ` ${VALID}`,
  ];
  for (const value of wrong) t.notOk(isTraceparent(value), value);
  t.equal(traceparentOf(['A', 'b', 'TraceParent', VALID]), VALID);
  t.equal(traceparentOf(['A', VALID]), undefined);
  t.equal(traceparentOf(['traceparent', VALID, 'traceparent', VALID]), undefined, 'it comes twice');
});

t.test('a trace that begins here takes the place of what was not valid, and of its state', async (t) => {
  const fields = ['Host', 'x', 'TraceParent', 'nonsense', 'TRACESTATE', 'a=b', 'TestingStuf', 'stays'];
  t.same(withTrace(fields, VALID), ['Host', 'x', 'TestingStuf', 'stays', 'traceparent', VALID]);
  const ids = new TraceIds();
  const made = Array.from({ length: 1000 }, () => ids.next());
  t.ok(made.every(isTraceparent));
  t.equal(new Set(made.map((one) => one.split('-')[1])).size, 1000);
  t.equal(new Set(made.map((one) => one.split('-')[2])).size, 1000);
});

const get = (fields: string) => `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}\r\n`;
const tracesIn = (text: string) => [...text.matchAll(/^traceparent: (.*)\r$/gim)].map(([, value]) => value);
const STATE = 'tracestate: a=b\r\n';

t.test('by default all passes as it came', async (t) => {
  const { replica, proxy } = await played(t, {}, (socket) => socket.write(reply('ok')));
  for (const fields of ['', `traceparent: ${VALID}\r\n${STATE}`, `TRACEPARENT: nonsense\r\n${STATE}`]) {
    const before = replica.received.join('').length;
    await exchangeRaw(proxy.port, get(fields));
    const head = replica.received.join('').slice(before);
    t.ok(head.includes(fields), 'what was there');
    t.equal(tracesIn(head).length, fields === '' ? 0 : 1, 'and no more');
  }
});

t.test('with `begin`, a request without a valid one gets one', async (t) => {
  const { replica, proxy } = await played(
    t,
    { traceparent: 'begin', accessLog: 'all', accessLogFormat: 'json' },
    (socket) => socket.write(reply('ok')),
  );
  const asked: Record<string, 'passes' | 'begins'> = {
    [`traceparent: ${VALID}\r\n${STATE}`]: 'passes',
    [`traceparent: nonsense\r\n${STATE}`]: 'begins',
    [`traceparent: ${VALID}\r\ntraceparent: ${VALID}\r\n${STATE}`]: 'begins',
    [STATE]: 'begins',
    '': 'begins',
  };
  for (const [fields, what] of Object.entries(asked)) {
    const before = replica.received.join('').length;
    await exchangeRaw(proxy.port, get(fields));
    const head = replica.received.join('').slice(before);
    const [trace = '', ...others] = tracesIn(head);
    t.same(others, []);
    t.ok(isTraceparent(trace), trace);
    t.equal(trace === VALID, what === 'passes');
    t.equal(/tracestate: a=b/.test(head), what === 'passes');
    const last = JSON.parse(proxy.accessLog().trimEnd().split('\n').at(-1) ?? '');
    t.equal(last.traceparent, trace, 'it stands in the log');
  }
});

t.test('all attempts of a request have one trace', async (t) => {
  const { all, proxy } = await played(
    t,
    { traceparent: 'begin', accessLog: 'all' },
    (socket) => socket.destroy(),
    (socket) => socket.write(reply('ok')),
  );
  t.match(await exchangeRaw(proxy.port, get('')), /ok$/);
  const [first, second] = all.map(({ received }) => tracesIn(received.join('')));
  t.equal(first?.length, 1);
  t.same(first, second);
  t.match(JSON.parse(proxy.accessLog()), { traceparent: first?.[0], attempts: 2 });
});
