import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { checkCommand, withOwnValues } from '../../lib/fleet/runtimes/command.ts';

t.test('what is a replica’s own stands in place of its name in braces; other braces stay', async (t) => {
  const own = { port: '3000', id: 'server1', seat: '1' };
  t.equal(withOwnValues('127.0.0.1:{port}/{id}?{seat}&{seat}', own), '127.0.0.1:3000/server1?1&1');
  t.equal(withOwnValues('{socket} {ports} { port } {}', own), '{socket} {ports} { port } {}');
});

t.test('a program is looked for as the system does it, and its absence said', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'runs'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(directory, 'reads'), '', { mode: 0o644 });
  await checkCommand('runs', `/nowhere:${directory}`, '');
  await checkCommand('./runs', '', directory);
  await checkCommand(join(directory, 'runs'), '', '');
  await checkCommand('sh', undefined, '');
  await t.rejects(checkCommand('runs', '/nowhere', ''), { code: 'start-failed', message: 'runs: no such program' });
  await t.rejects(checkCommand('./runs', directory, '/'), { message: './runs: no such program' });
  await t.rejects(checkCommand('node app.js', '/nowhere', ''), {
    message: 'node app.js: no such program; give its arguments as words of their own, or the whole to sh -c',
  });
  await t.rejects(checkCommand('--replicas', '/nowhere', ''), {
    message: '--replicas: no such program; options stand before the lone --, and what follows it is the command',
  });
  await t.rejects(checkCommand('reads', directory, ''), { message: 'reads: not a program that may be run' });
  await t.rejects(checkCommand('sh', undefined, '/nowhere'), { message: '--replica-cwd /nowhere: no such directory' });
});
