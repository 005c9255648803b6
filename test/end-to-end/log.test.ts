// The log of the real program on a real pipe, read or not, and what it contains.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { replicaPid } from '../../bench/harness/faults.ts';
import { startProgram } from '../../bench/harness/program.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

t.setTimeout(120_000);

const service = await scriptedReplica((socket) => socket.write(reply('{}')));
t.teardown(() => service.close());

for (const stalled of ['stderr', 'stdout'] as const) {
  t.test(
    `${stalled} that nobody reads: requests are answered, memory stays bounded, what is lost is counted`,
    async (t) => {
      const program = await startProgram(['--upstream', service.upstream, '--heartbeat-path', 'off', '--log', 'debug']);
      t.teardown(() => program.stop());
      const pipe = program.process[stalled];
      pipe?.pause();
      const begun = program.log.length;
      const target = `${program.url}/${'x'.repeat(400)}`;
      const lines = 6000;
      let answered = 0;
      const ask = async () => {
        for (let count = 0; count < lines / 20; count++) {
          if ((await (await fetch(target)).text()) === '{}') answered += 1;
        }
      };
      // Each line is half a kilobyte, so this is three times as much as may wait to be written.
      await Promise.all(Array.from({ length: 20 }, ask));
      t.equal(answered, lines);
      pipe?.resume();
      if (stalled === 'stderr') {
        const { count } = await program.logged((line) => line.event === 'log-lines-dropped');
        t.ok((count as number) > lines / 10, `${count} dropped`);
        const kept = program.log.slice(begun).filter((line) => line.event === 'request');
        t.equal(kept.length + (count as number), lines);
        t.ok(JSON.stringify(kept).length < 1.3 * 2 ** 20, `${JSON.stringify(kept).length} bytes kept`);
      }
      t.equal((await fetch(program.url)).status, 200);
      const last = program.log.length;
      await fetch(`${program.url}/after?token=s3cret`);
      await program.logged((line) => line.url === '/after?token=…');
      t.ok(program.log.length > last, 'and it goes on');
      t.notMatch(JSON.stringify(program.log), /s3cret/);
    },
  );
}

t.test('SIGUSR1 is no way in: it opens no debugger, in the balancer nor in a replica', async (t) => {
  const program = await startProgram(['--replicas', '1']);
  t.teardown(() => program.stop());
  let errors = '';
  program.process.stderr?.on('data', (bytes) => {
    errors += bytes;
  });
  process.kill(await replicaPid(program, 'server1'), 'SIGUSR1');
  program.process.kill('SIGUSR1');
  t.equal((await program.json('/home')).status, 200);
  program.process.kill('SIGTERM');
  t.equal(await program.exited, 0);
  t.notMatch(errors, /Debugger/);
});

t.test('before their own code runs, it is the command line that forbids it', async (t) => {
  for (const path of ['package.json', 'Dockerfile.balancer', 'Dockerfile.replica']) {
    const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
    t.match(text, /node"?,? "?--disable-sigusr1"?,? "?(\/app\/)?(lib|replica)\/main\.ts/, path);
  }
});
