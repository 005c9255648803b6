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
