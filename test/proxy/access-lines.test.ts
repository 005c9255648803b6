// The lines of the access log, in both forms: what is in them, and that nobody can write into them what is not theirs.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { writeCombined } from '../../lib/proxy/access/combined-line.ts';
import type { Entry, Outcome } from '../../lib/proxy/access/entry.ts';
import { writeJson } from '../../lib/proxy/access/json-line.ts';
import { LineBytes } from '../../lib/proxy/access/line-bytes.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const outcome = { status: 200, ended: 'ok', slot: 17, nowMs: Date.UTC(2026, 10, 27, 1, 2, 3, 4) };
const entry: Entry = {
  request: {
    method: 'GET',
    url: '/a?b=c',
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    rawHeaders: ['Host', 'x:1', 'USER-AGENT', 'curl/8', 'referer', 'http://from/', 'Other', 'y', 'Traceparent', TRACE],
  },
  client: '192.0.2.1',
  requestId: 123_456,
  key: 334_087_947,
  agent: { replica: { seat: 2, incarnation: 9, hostname: 'server_9' } },
  status: 200,
  times: { startedMs: 100, placedMs: 101.25, askedMs: 0, connectedMs: 103, answeredMs: 1104.0014, endedMs: 1105 },
  attempts: 2,
  losses: [{ replica: { seat: 1, incarnation: 1, hostname: 'server1' }, why: 'connect-failed' }],
  receivedBytes: 5,
  sentBytes: 1234,
};
const refused: Entry = {
  ...entry,
  request: undefined,
  key: undefined,
  agent: undefined,
  times: { startedMs: 100, placedMs: 0, askedMs: 0, connectedMs: 0, answeredMs: 0, endedMs: 100 },
  attempts: 0,
  losses: [],
};

const lineOf = (write: typeof writeJson, of: Entry, how: Outcome): string => {
  const line = new LineBytes();
  write(line, of, how);
  return Buffer.from(line.take()).toString('latin1');
};
const jsonLine = (of: Entry, how: Outcome) => lineOf(writeJson, of, how);
const combinedLine = (of: Entry, how: Outcome) => lineOf(writeCombined, of, how);

const withTexts = (text: string): Entry => ({
  ...entry,
  client: text,
  request: {
    method: text,
    url: text,
    httpVersionMajor: 1,
    httpVersionMinor: 1,
    rawHeaders: ['Host', text, 'User-Agent', text, 'Referer', text, 'Traceparent', text],
  },
});

t.test('a line of JSON', async (t) => {
  t.equal(
    jsonLine(entry, outcome),
    '{"time":"2026-11-27T01:02:03.004Z","client":"192.0.2.1","method":"GET","target":"/a?b=c","host":"x:1",' +
      '"version":"1.1","status":200,"requestId":123456,"key":334087947,"slot":17,"replica":"server_9","seat":2,' +
      '"attempts":2,"lost":[{"seat":1,"replica":"server1","why":"connect-failed"}],"bytesIn":5,"bytesOut":1234,' +
      '"queueMs":1.250,"connectMs":1.750,"firstByteMs":1004.001,"totalMs":1005.000,"ended":"ok",' +
      `"traceparent":"${TRACE}","userAgent":"curl/8","referer":"http://from/"}\n`,
  );
  const reused = { ...entry, times: { ...entry.times, connectedMs: 0 } };
  t.match(JSON.parse(jsonLine(reused, outcome)), { connectMs: 0 }, 'the connection was there');
  t.match(JSON.parse(jsonLine(refused, { ...outcome, status: 400, ended: 'bad-request', slot: undefined })), {
    ...{ method: null, target: null, host: null, version: null, key: null, slot: null, replica: null, seat: null },
    ...{ attempts: 0, lost: [], queueMs: null, connectMs: null, firstByteMs: null, totalMs: 0, traceparent: null },
  });
});

t.test('the reference has the fields of a line, in their order', async (t) => {
  const page = readFileSync(new URL('../../.github/pages/REFERENCE.md', import.meta.url), 'utf8');
  const section = page.slice(page.indexOf('\n## Lines of the access log\n'));
  const table = section.slice(section.indexOf('| field |'), section.indexOf('\n\n', section.indexOf('| field |')));
  const named = table.split('\n').flatMap((row) => row.split('|')[1]?.match(/[a-z]\w*(?=`)/gi) ?? []);
  t.same(named, Object.keys(JSON.parse(jsonLine(entry, outcome))));
});

t.test('a line in the combined form', async (t) => {
  t.equal(
    combinedLine(entry, outcome),
    '192.0.2.1 - - [27/Nov/2026:01:02:03 +0000] "GET /a?b=c HTTP/1.1" 200 1234 "http://from/" "curl/8"\n',
  );
  t.equal(
    combinedLine({ ...refused, sentBytes: 0 }, { ...outcome, status: 400 }),
    '192.0.2.1 - - [27/Nov/2026:01:02:03 +0000] "-" 400 - "-" "-"\n',
  );
});

t.test('the time of a line is right over seconds, days and years', async (t) => {
  for (const nowMs of [999, 1000, 1999, Date.UTC(2026, 11, 31, 23, 59, 59, 999), Date.UTC(2027, 0, 1), 5]) {
    t.equal(JSON.parse(jsonLine(entry, { ...outcome, nowMs })).time, new Date(nowMs).toISOString());
    const shown = /\[(.*)\]/.exec(combinedLine(entry, { ...outcome, nowMs }))?.[1] ?? '';
    t.equal(Date.parse(shown.replace(':', ' ')), 1000 * Math.floor(nowMs / 1000), shown);
  }
});

t.test('the attack: bytes that would end a text or a line, move a cursor, or be no UTF-8', async (t) => {
  const all = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
  for (const text of [all.join(''), '"} \n{"status":200', '\\', '\\"', '\u2028', 'x" 200 1 "-" "-"\n10.0.0.1 - -']) {
    const json = jsonLine(withTexts(text), outcome);
    t.match(json, /^[ -~]*\n$/, 'printable ASCII, and one line');
    const read = JSON.parse(json);
    for (const field of ['client', 'method', 'target', 'host', 'userAgent', 'referer']) t.equal(read[field], text);
    t.equal(read.traceparent, null, 'which is no traceparent');
    t.same(Object.keys(read), Object.keys(JSON.parse(jsonLine(entry, outcome))));

    const combined = combinedLine(withTexts(text), outcome);
    t.match(combined, /^[ -~]*\n$/);
    t.match(combined, /^[^ ]+ - - \[[^\]]+\] "[^"]+" 200 1234 "[^"]+" "[^"]+"\n$/, 'and as many parts as ever');
  }
  t.match(combinedLine(withTexts('a"\\\u00e9\t'), outcome), /"a\\x22\\x5C\\xE9\\x09 a\\x22/, 'as nginx writes them');
});

const MOST = Number.MAX_SAFE_INTEGER;

t.test('numbers are written as they are', async (t) => {
  const line = new LineBytes();
  for (const value of [0, 1, 9, 10, 99, 100, 123_456, 2 ** 31, 2 ** 32 + 1, 8_999_999_999_999_999, MOST]) {
    line.begin();
    line.integer(value);
    line.threeDigits(value % 1000);
    t.equal(Buffer.from(line.take()).toString(), `${value}${`${value % 1000}`.padStart(3, '0')}`);
  }
  line.begin();
  line.integer(2 ** 64);
  t.equal(Buffer.from(line.take()).toString(), `${MOST}`, 'or as large as they can be told');
});

t.test('a line may be longer than the memory that there is at first', async (t) => {
  const long = withTexts(`${'x'.repeat(200_000)}${'"'.repeat(100_000)}`);
  t.equal(JSON.parse(jsonLine(long, outcome)).target.length, 300_000);
});
