// The attack: a head within its limit of bytes that keeps the only thread busy for seconds, while every other client
// waits. What is counted is steps, so that a busy machine changes nothing.

import t from 'tap';
import type { Underscores } from '../../lib/core/traffic-settings.ts';
import { overfull, type ParsedRequest, replyHead, requestHead, textFor } from '../../lib/http/headers.ts';
import { hopsLeft, lastHopReply } from '../../lib/http/max-forwards.ts';
import { isEventStream, parseReplyHead, parseTrailers, type ReplyHead } from '../../lib/http/reply-head.ts';
import { ReplyReader, type ReplySink } from '../../lib/http/reply-reader.ts';
import { trailerSection } from '../../lib/http/trailers.ts';
import { trustRule } from '../../lib/http/trust.ts';
import { offeredProtocols, switchingHead } from '../../lib/http/upgrade.ts';
import { keyReader } from '../../lib/proxy/keys/key-reader.ts';
import { keySources } from '../../lib/settings/lists/kinds.ts';
import { stepsOf } from '../fixtures/work.ts';

const HEAD_BYTES = 65_536;
// Each byte is looked at by a few dozen rules; where a list was read again for each field, it was thousands of times.
const MOST_STEPS_PER_BYTE = 40;
// None: what has to hold without the limit on fields holds with it.
const NO_LIMIT = Number.POSITIVE_INFINITY;

type Fields = readonly (readonly [name: string, value: string])[];

const fill = (sizeBytes: number, one: (index: number) => readonly [string, string]): Fields => {
  const fields: (readonly [string, string])[] = [];
  for (let size = 0; size < sizeBytes; ) {
    const field = one(fields.length);
    size += field[0].length + field[1].length + 4;
    if (size <= sizeBytes) fields.push(field);
  }
  return fields;
};
const half = (list: string, one: (index: number) => readonly [string, string]) => (sizeBytes: number) => [
  [list, 'xb,'.repeat(sizeBytes / 6)] as const,
  ...fill(sizeBytes / 2, one),
];
const single = (name: string, value: string) => (sizeBytes: number) => [
  [name, value.repeat(sizeBytes / value.length)] as const,
];

/** The worst that can be said in so many bytes of fields. */
const HEADS: Readonly<Record<string, (sizeBytes: number) => Fields>> = {
  'a list of options beside short fields': half('Connection', () => ['b', '']),
  'a list of options beside fields whose names are in it': half('Connection', () => ['xb', '']),
  'as many lists of options as there is room for': (sizeBytes) =>
    fill(sizeBytes, () => ['Connection', 'a,b,c,upgrade']),
  'options beside fields of rules': half('Connection', () => ['X-Forwarded-For', '1']),
  'a list of protocols': half('Upgrade', () => ['Connection', 'upgrade']),
  'protocols of blanks': single('Upgrade', ' \t,'),
  'hops of a trusted proxy': half('X-Forwarded-For', () => ['x-forwarded-for', '10.0.0.1,10.0.0.1']),
  'a cookie of many pairs': single('Cookie', 'session;'),
  'many cookies': (sizeBytes) => fill(sizeBytes, () => ['Cookie', 'session']),
  'a cookie of blanks': single('Cookie', '   ;'),
  'aliases of names': (sizeBytes) => fill(sizeBytes, () => ['X_Forwarded_For', '']),
  'one long alias': (sizeBytes) => [[`X-Forwarded${'_'.repeat(sizeBytes)}`, '']],
  'one long name': (sizeBytes) => [['x'.repeat(sizeBytes), '']],
  'a coding of many': single('Transfer-Encoding', 'chunked,'),
  'hops left in many digits': single('Max-Forwards', '9'),
  'a value of blanks': (sizeBytes) => [['A', `b${' '.repeat(sizeBytes)}c`]],
  'a long content type': single('Content-Type', 'text/event-stream '),
  'the shortest fields': (sizeBytes) => fill(sizeBytes, () => ['a', '']),
};

const parsed = (fields: Fields, method = 'GET'): ParsedRequest => ({
  method,
  url: '/a?b',
  httpVersionMajor: 1,
  httpVersionMinor: 1,
  rawHeaders: ['Host', 'a', ...fields.flat()],
});
const textOf = (fields: Fields) => fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
const client = { address: '10.0.0.1', trusted: true };
const trust = trustRule(['10.0.0.0/8']);
const readKey = keyReader(keySources.read('header:x-tenant,cookie:session,query:user,client') ?? []);
const terms = { clientMinor: 1, keepAlive: true, body: 'length', date: '' } as const;
const sink: ReplySink = {
  onInformation: () => undefined,
  onHead: (head) => void replyHead(head, terms),
  onSwitch: () => undefined,
  onBody: () => undefined,
  onEnd: (trailers) => void trailerSection(trailers),
};
const fed = (text: string, pieceBytes: number) => () => {
  const reader = new ReplyReader({ maxHeadBytes: 2 * HEAD_BYTES, maxFields: NO_LIMIT });
  reader.expectReply('GET');
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.read(bytes.subarray(at, at + pieceBytes), sink);
};
const passOn = (underscores: Underscores) => (fields: Fields) => {
  const head = requestHead(parsed(fields), client, underscores, offeredProtocols(parsed(fields)));
  textFor(head, 'a');
};

/** Everything that is done with what somebody else has sent, before a byte of it goes on. */
const WORK: Readonly<Record<string, (fields: Fields) => void>> = {
  'its limits are looked at': (fields) => overfull(parsed(fields), 100_000),
  'a request goes on': passOn('drop-owned'),
  'a request goes on without odd names': passOn('drop'),
  'a request goes on with all names': passOn('pass'),
  'hops are counted': (fields) => hopsLeft(parsed(fields, 'TRACE')),
  'a request is echoed': (fields) => lastHopReply(parsed(fields, 'TRACE'), '', true),
  'a key is read': (fields) => readKey(parsed(fields), trust.originOf(client.address, parsed(fields).rawHeaders)),
  'a reply goes on': (fields) => {
    const head = parseReplyHead(`HTTP/1.1 200 OK\r\n${textOf(fields)}`, 'GET', NO_LIMIT);
    replyHead(head, terms);
    isEventStream({ ...head, framing: 'chunked' });
  },
  'a reply switches': (fields) => {
    const reply = {
      ...parseReplyHead('HTTP/1.1 101 Go\r\n', 'GET', NO_LIMIT),
      fields: ['Upgrade', 'a', ...fields.flat()],
    };
    switchingHead(reply as ReplyHead, 'a');
  },
  'trailers go on': (fields) => trailerSection(parseTrailers(textOf(fields), NO_LIMIT)),
  'a reply comes whole': (fields) => fed(`HTTP/1.1 204 No\r\n${textOf(fields)}\r\n`, 2 * HEAD_BYTES)(),
  'a reply comes byte by byte': (fields) => fed(`HTTP/1.1 204 No\r\n${textOf(fields)}\r\n`, 1)(),
  'trailers come byte by byte': (fields) =>
    fed(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${textOf(fields)}\r\n`, 1)(),
};

for (const [what, work] of Object.entries(WORK)) {
  t.test(`${what}: no head takes more steps than it has bytes, by more than a factor`, async (t) => {
    for (const [name, head] of Object.entries(HEADS)) {
      const fields = head(HEAD_BYTES);
      const steps = stepsOf(() => {
        try {
          work(fields);
        } catch (error) {
          // What is refused has to be so quickly too.
          if (!(error instanceof Error && 'code' in error)) throw error;
        }
      });
      t.ok(steps < MOST_STEPS_PER_BYTE * HEAD_BYTES, `${name}: ${(steps / HEAD_BYTES).toFixed(1)} steps for each byte`);
    }
  });
}

t.test('a body of the smallest chunks takes a few steps for each byte', async (t) => {
  const text = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(HEAD_BYTES / 6)}`;
  for (const pieceBytes of [1, 100_000]) {
    const steps = stepsOf(fed(text, pieceBytes));
    t.ok(steps < 10 * text.length, `${(steps / text.length).toFixed(1)} in pieces of ${pieceBytes}`);
  }
});
