import t from 'tap';
import { createLog } from '../../lib/log.ts';
import { textLine } from '../../lib/terminal/log-text.ts';
import type { Paint } from '../../lib/terminal/paint.ts';

const plain: Paint = (_, text) => text;

/** What an entry becomes, by a clock that says 20:31:05 local time. */
function lineOf(event: string, details: Record<string, unknown>, paint = plain, level: 'info' | 'error' = 'info') {
  let line = '';
  const write = (json: string) => {
    line = textLine(json, paint);
  };
  createLog('debug', write, () => new Date(2026, 10, 26, 20, 31, 5))[level](event, details);
  return line;
}

t.test('when, how grave, what happened to whom and why, and the rest', async (t) => {
  const lost = { hostname: 'server2', seat: 2, incarnation: 5, reason: 'killed by SIGKILL' };
  t.equal(lineOf('replica-lost', lost), '20:31:05 info  replica lost server2: killed by SIGKILL (seat 2)\n');
  t.equal(lineOf('closed', {}), '20:31:05 info  closed\n');
  t.equal(
    lineOf('request-failed', { requestId: 123456, url: '/a?b=c', code: 'no-replica', elapsedMs: 12, reason: 'none' }),
    '20:31:05 info  request failed: none (request id 123456, url /a?b=…, code no-replica, elapsed 12 ms)\n',
  );
  t.match(lineOf('closing', { graceMs: 10_000 }), /\(grace 10 s\)$/m);
  t.equal(lineOf('ring-changed', { seats: [1, 2] }), '20:31:05 info  ring changed (seats 1 2)\n');
  t.equal(lineOf('ring-changed', { seats: [] }), '20:31:05 info  ring changed (seats none)\n');
});

t.test('a stack follows line by line', async (t) => {
  t.equal(
    lineOf('uncaught', { reason: 'x', stack: 'Error: x\n    at a.ts:1' }, plain, 'error'),
    '20:31:05 error uncaught: x\n    Error: x\n    at a.ts:1\n',
  );
});

t.test('the level has its colour', async (t) => {
  const marked: Paint = (format, text) => `<${format}>${text}</>`;
  t.equal(lineOf('e', {}, marked, 'error'), '<dim>20:31:05</> <red>error</> e\n');
});

t.test('no text from outside acts on the terminal or begins a line', async (t) => {
  const evil = 'a\u001b[2J\u009b1m\r\nb\u0007\u007f\u202e\u2028c';
  for (const details of [{ reason: evil }, { url: evil }, { hostname: evil }, { list: [evil] }, { stack: evil }]) {
    const line = lineOf('e', details);
    const count = 'stack' in details ? 3 : 1;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of these may be left.
    t.notMatch(line.replaceAll('\n', ''), /[\u0000-\u001f\u007f-\u009f\u202e\u2028]/);
    t.match(line, '\\u001b[2J\\u009b1m');
    t.equal(line.match(/\n/g)?.length, count, line);
  }
});
