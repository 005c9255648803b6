// The directory of the sockets is removed while replicas serve, as a cleaner of /tmp may do.

import { readFileSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import t from 'tap';
import { replicaPid } from '../../bench/harness/faults.ts';
import { startProgram } from '../../bench/harness/program.ts';

t.test('replicas that lost their sockets are replaced, in a directory that is made anew', async (t) => {
  const program = await startProgram(['--heartbeat-interval', '100ms']);
  t.teardown(() => program.stop());
  const before = await program.hostnames();
  const environment = readFileSync(`/proc/${await replicaPid(program, 'server1')}/environ`, 'utf8');
  const directory = dirname(/LISTEN=unix:([^\0]*)/.exec(environment)?.[1] ?? '');
  rmSync(directory, { recursive: true });
  await Promise.all(
    before.map((hostname) => program.logged((line) => line.event === 'replica-stopped' && line.hostname === hostname)),
  );
  t.equal(statSync(directory).mode & 0o777, 0o700);
  const after = await program.hostnames();
  t.equal(after.length, 3);
  for (const hostname of after) {
    await program.logged((line) => line.event === 'replica-serving' && line.hostname === hostname);
  }
  for (let count = 0; count < 6; count++) t.equal((await program.json('/home')).status, 200);
});
