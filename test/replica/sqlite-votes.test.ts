// Votes in SQLite: the contract, and what may happen to the file.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t, { type Test } from 'tap';
import { sqliteVotes } from '../../replica/sqlite-votes.ts';
import type { Votes } from '../../replica/votes.ts';
import { votesContract } from '../contract/votes.ts';

function newDirectory(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-votes-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function open(t: Test, directory: string): Votes {
  const votes = sqliteVotes(directory);
  t.teardown(() => votes.close());
  return votes;
}

const helm = (key?: string) => ({ option: 'helm', key }) as const;

t.test('the contract', async (t) => {
  let directory = '';
  t.beforeEach((t) => {
    directory = newDirectory(t);
  });
  votesContract(t, () => open(t, directory));
});

t.test('what was answered is on the disk: each transaction waits for it', async (t) => {
  // Each connection has its own setting, which can only be read through it.
  const { prepare } = DatabaseSync.prototype;
  const opened = new Set<DatabaseSync>();
  DatabaseSync.prototype.prepare = function (this: DatabaseSync, ...args) {
    opened.add(this);
    return prepare.apply(this, args);
  };
  t.teardown(() => {
    DatabaseSync.prototype.prepare = prepare;
  });
  await open(t, newDirectory(t)).add(helm());
  const full = 2;
  t.same(
    [...opened].map((database) => database.prepare('PRAGMA synchronous').get()),
    [{ synchronous: full }],
  );
});

t.test('the directory is made when the first vote comes', async (t) => {
  const directory = join(newDirectory(t), 'a', 'b');
  t.match(await open(t, directory).add(helm()), { helm: 1 });
});

t.test('nobody else on the machine may look into the files', async (t) => {
  const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
  const modes = (directory: string) =>
    ['', '-wal', '-shm'].map((suffix) => mode(join(directory, `votes.sqlite${suffix}`)));
  const before = process.umask(0);
  t.teardown(() => process.umask(before));

  const made = join(newDirectory(t), 'a', 'b');
  await open(t, made).add(helm());
  t.same(modes(made), ['600', '600', '600']);
  t.equal(mode(made), '700');

  // An earlier version left the file's mode to the umask. The mode of the directory is not ours to change.
  const there = newDirectory(t);
  chmodSync(there, 0o755);
  const earlier = new DatabaseSync(join(there, 'votes.sqlite'));
  earlier.exec(
    'PRAGMA journal_mode = WAL; CREATE TABLE votes (option TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT',
  );
  for (const suffix of ['', '-wal', '-shm']) chmodSync(join(there, `votes.sqlite${suffix}`), 0o644);
  await open(t, there).add(helm());
  t.same(modes(there), ['600', '600', '600']);
  t.equal(mode(there), '755');
  earlier.close();
});

t.test('a file of an earlier version, which had no keys, is taken over', async (t) => {
  const directory = newDirectory(t);
  const before = new DatabaseSync(join(directory, 'votes.sqlite'));
  before.exec('CREATE TABLE votes (option TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT');
  before.exec("INSERT INTO votes VALUES ('helm', 41)");
  before.close();
  t.match(await open(t, directory).add(helm('a')), { helm: 42 });
});

t.test('votes and keys are there after the file was closed and opened', async (t) => {
  const directory = newDirectory(t);
  const before = sqliteVotes(directory);
  await before.add(helm('a'));
  before.close();
  t.match(await open(t, directory).add(helm('a')), { helm: 1 });
});

t.test('keys that are older than a day are dropped as new ones come, younger ones are not', async (t) => {
  const directory = newDirectory(t);
  const votes = open(t, directory);
  for (const key of ['old-1', 'old-2', 'young']) await votes.add(helm(key));
  const other = new DatabaseSync(join(directory, 'votes.sqlite'), { timeout: 1000 });
  other.exec("UPDATE keys SET seconds = seconds - 86500 WHERE key LIKE 'old%'");
  await votes.add(helm('new'));
  t.same(
    other
      .prepare('SELECT key FROM keys ORDER BY id')
      .all()
      .map((row) => row.key),
    ['young', 'new'],
  );
  other.close();
});

t.test('a file that another process has locked: tried again, and counted when it is free', async (t) => {
  const directory = newDirectory(t);
  const votes = open(t, directory);
  await votes.counts();
  const other = new DatabaseSync(join(directory, 'votes.sqlite'));
  other.exec('BEGIN IMMEDIATE');
  const counted = votes.add(helm('a'));
  t.match(await votes.counts(), { helm: 0 }, 'reading goes on');
  other.exec('COMMIT');
  t.match(await counted, { helm: 1 });
  other.close();
});

t.test(
  'one that stays locked: refused within 3 s with the reason, heartbeats go on, and then back by itself',
  async (t) => {
    const directory = newDirectory(t);
    const votes = open(t, directory);
    await votes.counts();
    const other = new DatabaseSync(join(directory, 'votes.sqlite'));
    other.exec('BEGIN IMMEDIATE');
    let longestMs = 0;
    let lastMs = performance.now();
    const begunMs = lastMs;
    const pulse = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - lastMs);
      lastMs = performance.now();
    }, 5);
    await t.rejects(votes.add(helm('a')), {
      code: 'unavailable',
      message: /votes\.sqlite is locked by another process$/,
    });
    clearInterval(pulse);
    t.ok(performance.now() - begunMs < 3000, `${Math.round(performance.now() - begunMs)} ms`);
    t.ok(longestMs < 300, `the process was never away for more than ${Math.round(longestMs)} ms`);
    other.exec('ROLLBACK');
    other.close();
    t.match(await votes.add(helm('a')), { helm: 1 }, 'what was refused had not been counted');
  },
);

t.test('a file that is no database: refused with the reason, untouched, and back when it is put right', async (t) => {
  const directory = newDirectory(t);
  const path = join(directory, 'votes.sqlite');
  const rubbish = 'this is no database, and long enough to be looked at '.repeat(40);
  writeFileSync(path, rubbish);
  const votes = open(t, directory);
  await t.rejects(votes.counts(), { code: 'unavailable', message: /votes\.sqlite is no database$/ });
  await t.rejects(votes.add(helm('a')), { code: 'unavailable', message: /is no database$/ });
  t.equal(readFileSync(path, 'utf8'), rubbish);
  rmSync(path);
  t.match(await votes.add(helm('a')), { helm: 1 });
});

t.test('a damaged file: refused with the reason, and back when the backup is', async (t) => {
  const directory = newDirectory(t);
  const path = join(directory, 'votes.sqlite');
  const before = sqliteVotes(directory);
  await before.add(helm('a'));
  before.close();
  copyFileSync(path, join(directory, 'backup'));
  const damaged = readFileSync(path);
  // Damages all but the first page, which says that the file is a database.
  damaged.fill(0x7f, 4096);
  writeFileSync(path, damaged);
  const votes = open(t, directory);
  await t.rejects(votes.add(helm('b')), { code: 'unavailable', message: /votes\.sqlite is damaged$/ });
  renameSync(join(directory, 'backup'), path);
  t.match(await votes.add(helm('a')), { helm: 1 }, 'with its keys');
  t.match(await votes.add(helm('b')), { helm: 2 });
});

t.test('a file that was replaced while it was open takes the next vote', async (t) => {
  const directory = newDirectory(t);
  const votes = open(t, directory);
  await votes.add(helm());
  rmSync(directory, { recursive: true });
  t.match(await votes.add(helm()), { helm: 1 });
  const other = open(t, directory);
  t.match(await other.counts(), { helm: 1 }, 'where others find it');
});

t.test('a directory that cannot be made: refused with the reason, and back when it can', async (t) => {
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'data'), 'a file');
  const votes = open(t, join(directory, 'data'));
  await t.rejects(votes.add(helm('a')), { code: 'unavailable', message: /data/ });
  rmSync(join(directory, 'data'));
  t.match(await votes.add(helm('a')), { helm: 1 });
});

t.test('a disk', { skip: mountMissing() }, async (t) => {
  const directory = newDirectory(t);
  const mount = (...args: string[]) => execFileSync('mount', args, { stdio: 'pipe' });
  mount('-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', directory);
  t.teardown(() => execFileSync('umount', ['--lazy', directory]));
  const votes = open(t, directory);
  await votes.add(helm('first'));

  t.test('that is full: refused with the reason, nothing lost, and back when there is room', async (t) => {
    const filler = join(directory, 'filler');
    execFileSync('sh', ['-c', `cat /dev/zero > ${filler} 2> /dev/null || true`]);
    let refusals = 0;
    const answered: string[] = [];
    // The existing space of the log still takes a few votes.
    for (let index = 0; index < 200 && refusals < 3; index++) {
      await votes.add(helm(`key-${index}`)).then(
        () => answered.push(`key-${index}`),
        (error) => {
          refusals += 1;
          t.match(error, { code: 'unavailable', message: /votes\.sqlite does not fit on its disk, which is full$/ });
        },
      );
    }
    t.equal(refusals, 3);
    t.match(await votes.counts(), { helm: 1 + answered.length }, 'what was answered, no more, can be read');
    rmSync(filler);
    for (const key of ['first', ...answered]) await votes.add(helm(key));
    t.match(await votes.add(helm('last')), { helm: 2 + answered.length });
  });

  t.test('that may not be written: refused with the reason, and back when it may', async (t) => {
    const { helm: counted } = await votes.counts();
    votes.close();
    mount('-o', 'remount,ro', directory);
    await t.rejects(votes.add(helm('x')), { code: 'unavailable', message: /votes\.sqlite/ });
    mount('-o', 'remount,rw', directory);
    t.match(await votes.add(helm('x')), { helm: counted + 1 });
  });
});

function mountMissing(): string | false {
  const directory = join(tmpdir(), `ringmaster-mount-${process.pid}`);
  mkdirSync(directory);
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', directory], { stdio: 'pipe' });
    execFileSync('umount', [directory]);
    return false;
  } catch {
    return 'no right to mount a small disk here';
  } finally {
    rmSync(directory, { recursive: true });
  }
}
