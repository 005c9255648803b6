// One exchange between its two seams, without a socket: a Downstream that notes what it is told, and leases that a test
// plays. What it does is the same whatever version of HTTP its request came in, and a connection may have several at
// once.

import { EventEmitter } from 'node:events';
import t from 'tap';
import { FrontMeasures, SeatMeasures } from '../../lib/core/traffic/measures.ts';
import { Tally } from '../../lib/core/traffic/traffic.ts';
import { BalancerError } from '../../lib/errors.ts';
import { realClock } from '../../lib/fleet/clock.ts';
import { parseReplyHead, type ReplyHead } from '../../lib/http/reply-head.ts';
import { createLog } from '../../lib/log.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import type { Downstream } from '../../lib/proxy/exchange/downstream.ts';
import { Exchange } from '../../lib/proxy/exchange/exchange.ts';
import type { Ended, ExchangeContext } from '../../lib/proxy/exchange/exchange-context.ts';
import { ReturnLine } from '../../lib/proxy/exchange/return-line.ts';
import { UploadMemory } from '../../lib/proxy/exchange/upload-memory.ts';
import { Guard } from '../../lib/proxy/poison/guard.ts';
import { proxyLimits } from '../../lib/proxy/proxy-limits.ts';
import type { Lease, Leaseholder, Lessor } from '../../lib/proxy/replicas/lease.ts';
import { defaultOptions } from '../../lib/settings/options.ts';

const limits = proxyLimits(trafficSettings(defaultOptions()));
const log = createLog(
  'off',
  () => undefined,
  () => new Date(0),
);

/** What the exchange has told its client's side, in order. */
function noting() {
  const told: string[] = [];
  const downstream: Downstream & { blocked: boolean; full: boolean; holds: boolean } = {
    blocked: false,
    full: false,
    // Nothing of the reply has gone out yet.
    holds: false,
    inform: ({ status }) => told.push(`inform ${status}`),
    begin: ({ status }, isWhole, added) =>
      told.push([`begin ${status}${isWhole ? '' : ' early'}`, ...added].join(' | ')),
    followClient: () => told.push('follow'),
    beginTunnel: (_head, offered, replica, early) => {
      told.push(`tunnel ${offered}`);
      if (early !== undefined) replica.write(early);
      return { sentBytes: 0, resume: () => told.push('resume tunnel'), stop: () => told.push('stop tunnel') };
    },
    body: (bytes) => told.push(`body ${bytes}`),
    flush: () => undefined,
    end: () => told.push('end'),
    takeBack: () => downstream.holds,
    cut: () => told.push('cut'),
    refuse: (error) => told.push(`refuse ${error.status}`),
    release: () => told.push('release'),
    finish: () => told.push('finish'),
  };
  return { told, downstream };
}

/** The lease that was given last, and what was done with it. */
interface Played {
  readonly holder: Leaseholder;
  readonly done: string[];
  connected: boolean;
}

function seat(number: number, played: Played[]): Lessor {
  const lessor: Lessor = {
    replica: { seat: number, incarnation: number, hostname: `server${number}` },
    authority: 'a:1',
    keepsAlive: true,
    retired: false,
    inFlight: 0,
    tally: new Tally(),
    measures: new SeatMeasures(),
    lease: () => {
      const done: string[] = [];
      const note = (what: string) => () => void done.push(what);
      const state = { connected: true };
      const lease: Lease = {
        lessor,
        reused: false,
        isStream: false,
        hasSpoken: false,
        get connected() {
          return state.connected;
        },
        begin: (holder) => {
          played.push(Object.assign(state, { holder, done }));
        },
        write: (data) => {
          done.push(`write ${String(data).split('\r\n', 1)[0]}`);
          return true;
        },
        cork: () => undefined,
        uncork: () => undefined,
        endWriting: note('end writing'),
        pause: note('pause'),
        resume: note('resume'),
        becomeStream: note('stream'),
        becomeTunnel: note('tunnel'),
        finish: note('finish'),
        abandon: note('abandon'),
        endSoon: note('end soon'),
      };
      return lease;
    },
  };
  return lessor;
}

interface Sent {
  readonly method?: string;
  /** How its body is framed, if its method has one. */
  readonly body?: 'length' | 'chunked';
  readonly offered?: string;
  readonly asksWhy?: boolean;
}

/** An exchange over seats that are taken in turn; of no seat it waits, if `mayWait`. */
function exchangeOf(sent: Sent = {}, seats = [1, 2], mayWait = false) {
  const { method = 'GET', body = 'length', offered = '', asksWhy = false } = sent;
  const played: Played[] = [];
  const ended: Ended[] = [];
  // When each attempt had been placed by the time it was counted.
  const noted: number[] = [];
  const suspects: number[] = [];
  const incoming = Object.assign(new EventEmitter(), {
    method,
    url: '/',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    rawHeaders: [],
    complete: method === 'GET',
    rawTrailers: [] as string[],
    pause: () => undefined,
    resume: () => undefined,
  });
  const hasBody = method !== 'GET';
  const free = [...seats];
  const context: ExchangeContext = {
    limits,
    uploads: new UploadMemory(limits),
    take: (_key, tried) => {
      const number = free.find((one) => !tried.includes(one));
      return number === undefined ? undefined : seat(number, played);
    },
    wait: () => mayWait,
    barredFromTunnels: (tried) => tried,
    dealId: () => 2,
    measures: new FrontMeasures(),
    keyTraffic: { place: ({ times }) => noted.push(times.placedMs) },
    directions: {
      setterOf: () => undefined,
      hear: () => undefined,
      spotOf: () => ({ slot: 7, owner: 2 }),
      passedFor: 'busy',
      leadsPast: () => false,
      placed: (reading) => reading,
      explanationOf: (key) => ({
        key,
        slot: 7,
        order: [2, 1],
        skipped: [{ seat: 2, why: 'busy' }],
        taken: 1,
        eased: [],
      }),
    },
    isPaused: false,
    overload: { isShedding: false, refusal: () => new BalancerError('shed', 'too many') },
    returns: new ReturnLine(limits),
    stopWaiting: () => undefined,
    spendRetry: () => true,
    guard: new Guard({ clock: realClock, log }, limits, () => undefined),
    hostnameOf: (seat) => `server${seat}`,
    suspect: ({ incarnation }) => suspects.push(incarnation),
    onOver: ({ status, error, agent }) => ended.push({ status, error, agent } as Ended),
  };
  const { told, downstream } = noting();
  const head = {
    text: `${method} / HTTP/1.1\r\n\r\n`,
    lacksHost: false,
    body: hasBody ? body : ('none' as const),
    lengthBytes: hasBody && body === 'length' ? 4 : 0,
    offered,
    expectsContinue: false,
    asksWhy,
  };
  const early = offered === '' ? undefined : Buffer.from('early');
  const exchange = new Exchange(context, downstream, incoming, {
    head,
    found: { key: 1, source: 'path', keyClass: 'path' },
    requestId: 1,
    client: '192.0.2.1',
    early,
  });
  exchange.start();
  const last = () => played.at(-1) as Played;
  return { exchange, incoming, told, downstream, played, last, ended, suspects, free, noted };
}

function replyHead(text: string, fields = 'Content-Length: 2\r\n'): ReplyHead {
  return parseReplyHead(`HTTP/1.1 ${text}\r\n${fields}`, 'GET', 100);
}

function replyWhole(holder: Leaseholder, body = 'ok'): void {
  holder.onHead(replyHead('200 OK'));
  holder.onBody(Buffer.from(body));
  holder.onPause();
  holder.onEnd([]);
}

t.test('a reply goes to the client as it comes, the lease is finished, and one record is left', async (t) => {
  const { told, last, ended } = exchangeOf();
  t.same(last().done, ['write GET / HTTP/1.1']);
  last().holder.onInformation(replyHead('103 Early Hints', ''));
  replyWhole(last().holder);
  t.same(told, ['inform 103', 'begin 200', 'body ok', 'end', 'release', 'finish']);
  t.same(last().done.slice(1), ['finish']);
  t.match(ended, [{ status: 200, error: undefined, agent: { replica: { seat: 1 } } }]);
});

t.test('an explanation comes as fields, without the text of any version of HTTP', async (t) => {
  const { told, last } = exchangeOf({ asksWhy: true });
  last().holder.onHead(replyHead('200 OK'));
  const fields = {
    'Request-Id': '1',
    'Key-Source': 'path',
    Key: '1',
    Slot: '7',
    Owner: 'server2',
    Replica: 'server1',
    Skipped: 'server2 (busy)',
    Order: 'server2, server1',
  };
  const added = Object.entries(fields).flatMap(([name, value]) => [`X-Ringmaster-${name}`, value]);
  t.same(told, [['begin 200', ...added].join(' | ')]);
});

t.test('two exchanges of one connection at once know nothing of each other', async (t) => {
  const [one, other] = [exchangeOf(), exchangeOf()];
  one.last().holder.onHead(replyHead('200 OK'));
  other.last().holder.onHead(replyHead('404 Not Found'));
  one.last().holder.onBody(Buffer.from('1'));
  other.last().holder.onBody(Buffer.from('2'));
  other.last().holder.onEnd([]);
  one.last().holder.onEnd([]);
  t.same(one.told, ['begin 200', 'body 1', 'end', 'release', 'finish']);
  t.same(other.told, ['begin 404', 'body 2', 'end', 'release', 'finish']);
});

t.test('a replica is asked when the body is in hand, which is sent again at the next seat', async (t) => {
  const { incoming, played, last, told, suspects } = exchangeOf({ method: 'PUT' });
  t.equal(played.length, 0, 'not before');
  incoming.emit('data', Buffer.from('body'));
  incoming.emit('end');
  t.same(last().done, ['write PUT / HTTP/1.1', 'write body']);
  last().holder.onLost(new BalancerError('connection-lost', 'it broke'));
  t.equal(played.length, 2);
  t.same(last().done, ['write PUT / HTTP/1.1', 'write body']);
  t.same(suspects, [1]);
  replyWhole(last().holder);
  t.same(told, ['begin 200', 'body ok', 'end', 'release', 'finish']);
});

t.test('what may not be repeated is refused, and what nobody is left for', async (t) => {
  const post = exchangeOf({ method: 'POST' });
  post.incoming.emit('data', Buffer.from('body'));
  post.incoming.emit('end');
  post.last().holder.onLost(new BalancerError('connection-lost', 'it broke'));
  t.same(post.told, ['refuse 502', 'release', 'finish']);
  t.match(post.ended, [{ error: { code: 'connection-lost' } }]);

  const alone = exchangeOf({}, [1]);
  alone.last().holder.onLost(new BalancerError('connection-lost', 'it broke'));
  t.same(alone.told, ['refuse 502', 'release', 'finish']);
});

t.test('a reply that breaks is taken back if nothing of it has gone out, else it is cut', async (t) => {
  for (const holds of [true, false]) {
    const { downstream, last, told } = exchangeOf();
    downstream.holds = holds;
    last().holder.onHead(replyHead('200 OK'));
    last().holder.onLost(new BalancerError('bad-reply', 'it broke'));
    t.same(told, ['begin 200', ...(holds ? ['refuse 502', 'release', 'finish'] : ['cut', 'release'])]);
  }
});

t.test('a client that takes no more makes its replica wait, until it takes again', async (t) => {
  const { exchange, downstream, last } = exchangeOf();
  last().holder.onHead(replyHead('200 OK'));
  downstream.blocked = true;
  downstream.full = true;
  last().holder.onPause();
  t.same(last().done.slice(1), ['pause']);
  exchange.onClientDrain();
  t.same(last().done.slice(1), ['pause', 'resume']);
});

t.test('a client that leaves frees its replica, and nothing is told to it any more', async (t) => {
  const { exchange, last, told, ended } = exchangeOf();
  exchange.onClientGone();
  exchange.onClientGone();
  t.same(last().done.slice(1), ['abandon']);
  t.same(told, ['release']);
  t.match(ended, [{ status: 0, error: { code: 'client-left' } }]);
});

t.test('a tunnel gives back its place, and what came early goes first', async (t) => {
  const { exchange, last, told, ended } = exchangeOf({ offered: 'websocket' });
  last().holder.onSwitch(replyHead('101 Switching Protocols', 'Connection: upgrade\r\nUpgrade: websocket\r\n'));
  last().holder.onBody(Buffer.from('word'));
  last().holder.onDrain();
  t.same(told, ['tunnel websocket', 'body word', 'resume tunnel']);
  t.same(last().done.slice(1), ['write early', 'tunnel']);
  exchange.onClientGone();
  t.match(ended, [{ status: 101, error: undefined }]);
});

t.test('an event stream gives back its place, and is ended in order', async (t) => {
  const { last, told } = exchangeOf();
  last().holder.onHead(replyHead('200 OK', 'Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n'));
  t.same(last().done.slice(1), ['stream']);
  last().holder.endStream();
  t.same(told, ['begin 200', 'follow', 'end', 'release', 'finish']);
});

t.test('with every replica full it waits, and asks when it is called and there is room', async (t) => {
  const { exchange, played, free, told, noted } = exchangeOf({}, [], true);
  t.equal(exchange.onRoom(), 'full');
  free.push(3);
  t.equal(exchange.onRoom(), 'gone');
  t.equal(played.length, 1);
  t.same(told, []);
  t.ok(exchange.times.placedMs > 0);
  t.same(noted, [exchange.times.placedMs], 'it is counted at the time at which it was placed');
});

t.test('what has waited too long for a reply is told so, and its replica suspected', async (t) => {
  const { exchange, last, told, suspects } = exchangeOf();
  exchange.onTick(0);
  exchange.onTick(limits.replyTimeoutMs);
  t.same(told, []);
  exchange.onTick(limits.replyTimeoutMs + 1);
  t.same(told, ['refuse 504', 'release', 'finish']);
  t.same(last().done.slice(1), ['abandon']);
  t.same(suspects, [1]);
});

t.test('time in which its replica accepts no connection is not time in which it does not reply', async (t) => {
  const { exchange, last, told } = exchangeOf();
  last().connected = false;
  exchange.onTick(0);
  exchange.onTick(limits.replyTimeoutMs + 1);
  t.same(told, [], 'the connection has a limit of its own');
  last().connected = true;
  exchange.onTick(limits.replyTimeoutMs + 2);
  exchange.onTick(1.9 * limits.replyTimeoutMs);
  t.same(told, [], 'which begins with the connection');
});

t.test('an exchange that is only to be connected still has an end over all', async (t) => {
  const { exchange, last, told } = exchangeOf();
  last().connected = false;
  exchange.onTick(0);
  exchange.onTick(limits.requestTimeoutMs);
  t.same(told, []);
  exchange.onTick(limits.requestTimeoutMs + 1);
  t.same(told, ['refuse 504', 'release', 'finish']);
});
