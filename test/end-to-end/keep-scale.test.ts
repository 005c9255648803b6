// --keep-scale: a fleet that ended in order has the same replicas after the next start.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';

async function directory(t: { teardown: (end: () => unknown) => unknown }) {
  const path = await mkdtemp(join(tmpdir(), 'ringmaster-scale-'));
  t.teardown(() => rm(path, { recursive: true }));
  return path;
}

t.test('hostnames, their order and weights are as they were', async (t) => {
  const stateDir = await directory(t);
  const args = ['--replicas', '2', '--fleet', 'kept', '--state-dir', stateDir, '--keep-scale'];
  const first = await startProgram(args);
  await first.json('/add', { method: 'POST', body: '{"n": 3, "hostnames": ["S5", "S4"], "weights": [2]}' });
  await first.json('/rm', { method: 'DELETE', body: '{"n": 1, "hostnames": ["server1"]}' });
  const names = await first.hostnames();
  await first.stop();
  const second = await startProgram(args);
  t.teardown(() => second.stop());
  t.same(await second.hostnames(), names);
  const { shares } = (await second.json('/balancer/ring')).body as { shares: Record<string, number> };
  const { S5 = 0, ...others } = shares;
  t.ok(
    Object.values(others).every((share) => S5 > 1.5 * share),
    'S5 has its weight of 2',
  );
  t.same(
    (await readdir(stateDir)).filter((name) => name.startsWith('scale')),
    ['scale-kept.json'],
  );
});

t.test('off, the default, it keeps nothing', async (t) => {
  const stateDir = await directory(t);
  const program = await startProgram(['--replicas', '1', '--state-dir', stateDir]);
  await program.stop();
  t.notOk((await readdir(stateDir)).some((name) => name.startsWith('scale')));
});

t.test('what cannot be understood is told, and --replicas counts', async (t) => {
  const stateDir = await directory(t);
  const args = ['--replicas', '1', '--fleet', 'kept', '--state-dir', stateDir, '--keep-scale', 'on'];
  for (const [text, reason] of [
    ['{"replicas": 3}', /it has no list of replicas/],
    ['{"replicas": [{"hostname": "-", "weight": 1}]}', /replicas\[0\] has no valid hostname/],
    ['{"replicas": [{"hostname": "a", "weight": 99}]}', /replicas\[0\] has no valid weight/],
    ['{"replicas": [{"hostname": "a", "weight": 1}, {"hostname": "A", "weight": 1}]}', /A is there twice/],
    ['{"replicas": [{"hostname": "a", "weight": 1, "address": "a"}]}', /replicas\[0\] has no valid address/],
    ['{', /JSON/],
  ] as const) {
    await writeFile(join(stateDir, 'scale-kept.json'), text);
    const program = await startProgram(args);
    t.match(await program.logged((line) => line.event === 'scale-unread'), { level: 'warn', reason });
    t.same(await program.hostnames(), ['server1']);
    await program.stop();
    t.match(await readFile(join(stateDir, 'scale-kept.json'), 'utf8'), /^\{"replicas":\[\{"hostname":"server1"/);
  }
});

t.test('more than there may be now are cut', async (t) => {
  const stateDir = await directory(t);
  const replicas = ['a', 'b', 'c'].map((hostname) => ({ hostname, weight: 1 }));
  await writeFile(join(stateDir, 'scale-kept.json'), JSON.stringify({ replicas }));
  const program = await startProgram([
    ...['--replicas', '1', '--max-replicas', '2', '--fleet', 'kept', '--state-dir', stateDir, '--keep-scale'],
  ]);
  t.teardown(() => program.stop());
  t.same(await program.hostnames(), ['a', 'b']);
});
