// The writer of the access log, on real files and pipes: what it does when they are slow, full, stuck or gone. Nobody
// waits for it, what is lost is counted, and what is there is whole lines.

import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { realClock } from '../../lib/fleet/clock.ts';
import { createLog } from '../../lib/log.ts';
import { Batches } from '../../lib/proxy/access/batches.ts';
import { fixed } from '../../lib/proxy/access/line-bytes.ts';
import { AccessFile } from '../../lib/system/access-file.ts';

const END = fixed('\n');

type Entry = { event: string; [detail: string]: unknown };

async function started(t: Test, name = 'access.log') {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-access-'));
  const log: Entry[] = [];
  const file = new AccessFile(
    realClock,
    createLog(
      'info',
      (line) => log.push(JSON.parse(line)),
      () => new Date(),
    ),
  );
  const batches = new Batches(file.take);
  /** Gives lines to the writer, each with its number. False for one that was dropped. */
  let given = 0;
  const give = (count: number, padding = 0) => {
    for (let index = 0; index < count; index++) {
      const line = batches.beginLine();
      given += 1;
      if (line === undefined) continue;
      line.begin();
      line.plainText(`${given} ${'x'.repeat(padding)}`);
      line.fixed(END);
      batches.endLine();
    }
    batches.flush();
  };
  t.teardown(async () => {
    await file.close();
    await rm(directory, { recursive: true, force: true });
  });
  return { path: join(directory, name), directory, file, give, log };
}

async function until(fits: () => unknown): Promise<void> {
  while (!(await fits())) await sleep(5);
}

const numbersIn = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => Number(line.split(' ')[0]));
const upTo = (last: number, from = 1) => Array.from({ length: last - from + 1 }, (_, index) => from + index);

t.test('lines are appended, in order; the file is for its owner and group', async (t) => {
  const { path, file, give } = await started(t);
  await writeFile(path, '0 before\n');
  await file.use(path);
  for (let round = 0; round < 20; round++) give(500, 50);
  await until(async () => (await readFile(path, 'latin1')).endsWith(`\n10000 ${'x'.repeat(50)}\n`));
  t.same(numbersIn(await readFile(path, 'latin1')), upTo(10_000, 0));
  const other = `${path}.made`;
  await file.use(other);
  t.equal((await stat(other)).mode & 0o007, 0);
  t.equal(file.dropped, 0);
});

t.test('a file that was renamed is opened anew, and no line is lost or torn', async (t) => {
  const { path, file, give, log } = await started(t);
  await file.use(path);
  const files: string[] = [];
  for (let round = 1; round <= 20; round++) {
    give(1000, 50);
    await rename(path, `${path}.${round}`);
    files.push(`${path}.${round}`);
    give(1000, 50);
    await file.reopen();
  }
  await file.close();
  const all = await Promise.all([...files, path].map((one) => readFile(one, 'latin1')));
  t.same(numbersIn(all.join('')), upTo(40_000));
  t.equal(log.filter(({ event }) => event === 'access-log-reopened').length, 20);
});

t.test('a directory that has gone: the old file is written on, and the log says so', async (t) => {
  const { path, directory, file, give, log } = await started(t);
  await file.use(path);
  give(1);
  await until(async () => (await readFile(path, 'latin1')) !== '');
  await rm(directory, { recursive: true });
  await file.reopen();
  t.match(log, [{ level: 'error', event: 'access-log-failed', reason: /ENOENT/ }]);
  give(1);
  await file.close();
  t.equal(file.dropped, 0);
});

t.test('a path that cannot be opened is refused, and what was there goes on', async (t) => {
  const { path, directory, file, give } = await started(t);
  await file.use(path);
  await t.rejects(file.use(join(directory, 'none', 'access.log')), {
    code: 'log-failed',
    message: /^--access-log-file cannot be opened: ENOENT.*none/,
  });
  await t.rejects(file.use(directory), { message: /EISDIR/ });
  give(3);
  await until(async () => numbersIn(await readFile(path, 'latin1')).length === 3);
  await file.use(undefined);
  give(2);
  await file.use(path);
  give(1);
  await until(async () => numbersIn(await readFile(path, 'latin1')).length === 4);
  t.equal(file.dropped, 2, 'lines that come while there is no file are counted');
});

t.test('a disk that is full: lines are counted, and it is said once', async (t) => {
  const { path, file, give, log } = await started(t);
  await file.use('/dev/full');
  for (let round = 0; round < 10; round++) {
    give(100);
    await until(() => file.dropped === 100 * (round + 1));
  }
  t.match(log, [
    { event: 'access-log-failed', file: '/dev/full', reason: /ENOSPC/ },
    { event: 'log-lines-dropped', count: 100, file: '/dev/full' },
  ]);
  await file.use(path);
  give(1);
  await until(async () => (await readFile(path, 'latin1')) !== '');
  await file.close();
  t.equal(log.at(-1)?.count, 900, 'and at the end how many more');
});

const noFifo = spawnSync('mkfifo', ['--version']).error !== undefined && 'there is no mkfifo';

t.test(
  'a pipe whose reader stalls: what waits is bounded, and what is lost is counted',
  { skip: noFifo },
  async (t) => {
    const { path, file, give, log } = await started(t, 'fifo');
    spawnSync('mkfifo', [path]);
    await file.use(path);
    // 10 MB: nobody reads, not even at the beginning.
    for (let round = 0; round < 100; round++) {
      give(100, 1000);
      await sleep(0);
    }
    await until(() => log.some(({ event }) => event === 'log-lines-dropped'));
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(2 ** 16);
    let text = '';
    const read = () => {
      try {
        text += buffer.toString('latin1', 0, readSync(reader, buffer));
      } catch {
        // There is nothing now.
      }
    };
    // Whatever was kept comes, and then a last line.
    await until(() => {
      read();
      return numbersIn(text).length + file.dropped === 10_000;
    });
    give(1);
    await until(() => {
      read();
      return text.endsWith(`\n10001 \n`);
    });
    closeSync(reader);
    const numbers = numbersIn(text);
    t.equal(numbers.length + file.dropped, 10_001);
    t.ok(text.length < 1.5 * 2 ** 20, `${text.length} bytes were kept`);
    t.same(
      numbers,
      [...numbers].sort((a, b) => a - b),
      'in their order',
    );
    t.ok(
      text.split('\n').every((line) => line === '' || /^\d+ x*$/.test(line)),
      'and none is torn',
    );
  },
);

t.test('a pipe that nobody reads does not hold up the end', { skip: noFifo }, async (t) => {
  const { path, file, give, log } = await started(t, 'fifo');
  spawnSync('mkfifo', [path]);
  await file.use(path);
  give(1000, 1000);
  await file.close();
  t.ok(file.dropped > 900, `${file.dropped} lines were lost`);
  t.equal(log.at(-1)?.event, 'log-lines-dropped');
});
