// The log of a worker: what is sent to the thread that writes it, and what is left out while that is busy.

import t from 'tap';
import { LogSender } from '../../lib/proxy/workers/log-sender.ts';
import type { LogEntry } from '../../lib/proxy/workers/messages.ts';

const begun = (level: 'info' | 'debug') => {
  const sent: LogEntry[] = [];
  const sender = new LogSender(level, (entries) => sent.push(...entries));
  return { sent, sender, log: sender.log };
};

t.test('entries of its level and graver ones are sent, those of one turn together', async (t) => {
  const { sent, sender, log } = begun('info');
  log.debug('quiet');
  log.info('heard', { count: 1 });
  log.error('bad', { url: 'x'.repeat(10_000) });
  t.notOk(log.writesDebug);
  t.same(sent, []);
  sender.flush();
  t.same(
    sent.map(({ level, event }) => [level, event]),
    [
      ['info', 'heard'],
      ['error', 'bad'],
    ],
  );
  t.equal(String(sent[1]?.details?.url).length, 4096, 'a target is cut');
  t.ok(begun('debug').log.writesDebug);
});

t.test('its level may change', async (t) => {
  const { sent, sender, log } = begun('info');
  sender.level = 'debug';
  t.ok(log.writesDebug);
  log.debug('heard');
  sender.level = 'off';
  log.error('quiet');
  sender.flush();
  t.match(sent, [{ event: 'heard' }]);
  t.equal(sent.length, 1);
});

t.test('while nothing is written, what waits is bounded; what is dropped is counted, and the count told', async (t) => {
  const { sent, sender, log } = begun('info');
  for (let count = 0; count < 2000; count++) log.info('many');
  sender.flush();
  t.equal(sent.length, 1024);
  sender.onWritten(100);
  log.info('dropped too: there is room, but not yet for long');
  sender.onWritten(924);
  log.info('heard again');
  sender.flush();
  t.match(sent.slice(1024), [
    { level: 'error', event: 'log-lines-dropped', details: { count: 977 } },
    { event: 'heard again' },
  ]);
});
