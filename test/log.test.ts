import t from 'tap';
import { createLog, LOG_LEVELS } from '../lib/log.ts';

t.test('one JSON line per event, of the level asked for and graver ones', async (t) => {
  const written = LOG_LEVELS.map((level) => {
    const lines: string[] = [];
    const log = createLog(
      level,
      (line) => lines.push(line),
      () => new Date(0),
    );
    log.debug('d');
    log.info('i', { n: 1 });
    log.warn('w');
    log.error('e', { text: 'a\nb' });
    return lines;
  });
  t.same(
    written.map((lines) => lines.length),
    [0, 1, 2, 3, 4],
  );
  t.equal(written[3]?.[0], '{"time":"1970-01-01T00:00:00.000Z","level":"info","event":"i","n":1}\n');
  t.equal(written[3]?.[2], '{"time":"1970-01-01T00:00:00.000Z","level":"error","event":"e","text":"a\\nb"}\n');
});

t.test('the level may change', async (t) => {
  const lines: string[] = [];
  const log = createLog(
    'error',
    (line) => lines.push(line),
    () => new Date(0),
  );
  log.info('quiet');
  log.level = 'debug';
  t.ok(log.writesDebug);
  log.debug('heard');
  log.level = 'off';
  t.notOk(log.writesDebug);
  log.error('quiet');
  t.match(lines, [/heard/]);
  t.equal(lines.length, 1);
});

t.test('what comes from outside is cut, and the values of a query are left out', async (t) => {
  const write = (details: Record<string, unknown>) => {
    let line = '';
    const log = createLog(
      'info',
      (text) => {
        line = text;
      },
      () => new Date(0),
    );
    log.info('e', details);
    return JSON.parse(line);
  };
  const long = 'x'.repeat(60_000);
  const cut = `${'x'.repeat(256)}…`;
  t.match(write({ reason: long, hostname: long, list: [long], deep: { method: long }, code: 'bad-request' }), {
    reason: cut,
    hostname: cut,
    list: [cut],
    deep: { method: cut },
    code: 'bad-request',
  });
  t.equal(write({ stack: long }).stack.length, 4097);
  const shown = (url: string) => write({ url }).url;
  t.equal(shown(`/${long}`), `/${'x'.repeat(255)}…`);
  t.equal(shown('/p?token=s3cret'), '/p?token=…');
  t.equal(shown('/p?a=1&b=2;c=3&d'), '/p?a=…&b=…;c=…&d');
  t.equal(shown('/p?a=b=c?d=e&f='), '/p?a=…&f=…');
  t.equal(shown('/p?eyJhbGciOiJIUzI1NiIsInR5cCI6'), '/p?…');
  t.equal(shown('/p#access_token=s3cret'), '/p#access_token=…');
  t.equal(shown('http://user:s3cret@host/p?q=1'), 'http://…@host/p?q=…');
  t.equal(shown('/add?dry-run'), '/add?dry-run');
  t.equal(shown('/plain/path;v=1'), '/plain/path;v=1');
});
