// The list of members in a file: written whole by one, read by others; what is broken changes nothing.

import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { emptyFleet } from '../../lib/core/fleet/fleet-state.ts';
import type { MemberList } from '../../lib/core/members/member-list.ts';
import { listFile } from '../../lib/fleet/members/list-file.ts';
import { ListWriter } from '../../lib/fleet/members/list-writer.ts';
import { createLog } from '../../lib/log.ts';
import { eventually } from '../fixtures/eventually.ts';
import { fleetAfter } from '../fixtures/fleet-rules.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';

async function stage(t: Test) {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-list-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const entries: Record<string, unknown>[] = [];
  const log = createLog(
    'info',
    (line) => entries.push(JSON.parse(line)),
    () => new Date(0),
  );
  const [path, clock] = [join(directory, 'members'), new VirtualClock()];
  return { directory, path, clock, log, entries, told: () => entries.map(({ event }) => event) };
}

const LIMITS = { maxReplicas: 10, maxPlace: 100 };
const names = (list: MemberList | undefined) => list?.members.map(({ hostname }) => hostname);

t.test('a list is read again when it is replaced, broken or not, and told once', async (t) => {
  const { path, clock, log, entries } = await stage(t);
  const source = listFile({ path, limits: LIMITS, clock, log });
  t.equal(await source.read(), undefined);
  t.match(entries, [{ event: 'members-unread', level: 'error', keeps: 'no members', reason: /ENOENT/ }]);
  t.equal(await source.read(), undefined);
  t.equal(entries.length, 1, 'what is missing is told once');
  await writeFile(path, '1 a a:1\n');
  t.same(names(await source.read()), ['a']);

  const lists: (readonly string[] | undefined)[] = [];
  const end = source.watch((list) => lists.push(names(list)));
  const replace = async (text: string) => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
    await clock.advance(600);
  };
  await replace('1 b b:1\n');
  await eventually('b', () => lists.length === 1);
  await replace('1 c\n');
  await eventually('it is refused', () => entries.at(-1)?.event === 'members-unread');
  t.match(entries.at(-1), { level: 'error', keeps: 'the last good list', reason: /^line 1: / });
  await replace('1 b b:1\n');
  await eventually('it is whole again', () => entries.at(-1)?.event === 'members-read');
  await replace('1 d d:1\n');
  await eventually('d', () => lists.length === 2);
  t.same(lists, [['b'], ['d']], 'a list that holds already is none to take over');
  await replace(`1 e e:1 ${' '.repeat(2 ** 20)}\n`);
  await eventually('it is too large', () => /larger than 1048576 bytes/.test(String(entries.at(-1)?.reason)));
  end();
  await replace('1 f f:1\n');
  t.equal(lists.length, 2);
});

t.test('a controller writes whole files, and nothing before it has begun or after it has ended', async (t) => {
  const { directory, path, clock, log, entries } = await stage(t);
  const writer = new ListWriter(path, clock, log);
  const address = { type: 'tcp', host: 'a', port: 1 } as const;
  const fleet = (...hostnames: string[]) =>
    fleetAfter(emptyFleet(1), {
      type: 'add',
      wishes: hostnames.map((hostname, index) => ({ hostname, weight: 1, address: { ...address, port: index + 1 } })),
      slowly: false,
    });
  writer.keep(fleet());
  writer.keep(fleet('a'));
  t.same(await readdir(directory), []);
  writer.begin('http://here:1');
  const source = listFile({ path, limits: LIMITS, clock, log });
  let list: MemberList | undefined;
  await eventually('it is written', async () => {
    list = await source.read();
    return list !== undefined;
  });
  t.same([list?.controller, names(list)], ['http://here:1', ['a']]);
  let isSeen = false;
  const seen = writer.seen(new AbortController().signal).then(() => {
    isSeen = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  t.notOk(isSeen, 'whoever looks twice a second may not have it yet');
  await clock.advance(1000);
  await seen;
  await writer.seen(AbortSignal.abort());
  for (const one of ['b', 'c', 'd']) writer.keep(fleet('a', one));
  await eventually('the last one', async () => (await readFile(path, 'utf8')).includes('"d"'));

  await writeFile(path, '1 other a:1\n');
  writer.keep(fleet('e'));
  await eventually('it is told', () =>
    entries.some(({ event, level }) => event === 'members-contended' && level === 'error'),
  );
  await eventually('and written all the same', async () => (await readFile(path, 'utf8')).includes('"e"'));

  await rm(directory, { recursive: true });
  writer.keep(fleet('f'));
  await eventually('it cannot be', () => entries.some(({ event }) => event === 'members-unwritten'));
  await mkdir(directory);
  await eventually('it is tried again', async () => {
    await clock.advance(1000);
    return (await readdir(directory)).includes('members');
  });
  await writer.end();
  const last = await readFile(path, 'utf8');
  writer.keep(fleet('g'));
  await writer.end();
  t.equal(await readFile(path, 'utf8'), last);
  t.same(await readdir(directory), ['members']);
  await writer.seen(new AbortController().signal);
});
