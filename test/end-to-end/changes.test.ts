// Changes of the fleet that take long: a few starts at a time, clients that leave meanwhile, and a start that has to be
// ended.

import { once } from 'node:events';
import http from 'node:http';
import t from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';

function change(program: Program, method: string, path: string, body: unknown) {
  return program.json(path, { method, body: JSON.stringify(body) });
}

t.test('--parallel-starts: so many replicas come up at a time, at the start and in an /add', async (t) => {
  const program = await startProgram(['--parallel-starts', '1']);
  t.teardown(() => program.stop());
  t.match(await change(program, 'POST', '/add', { n: 3 }), { status: 200, body: { message: { N: 6 } } });
  const steps = program.log
    .filter(({ event }) => event === 'replica-starting' || event === 'replica-serving')
    .map(({ event }) => event);
  t.same(
    steps,
    Array.from({ length: 6 }, () => ['replica-starting', 'replica-serving']).flat(),
    'each begins when the one before it serves',
  );
});

t.test('a change whose client goes before its turn is not done; one under way is', async (t) => {
  const program = await startProgram(['--replicas', '1'], { REPLICA_START_DELAY_MS: '1000' });
  t.teardown(() => program.stop());
  const ask = (hostname: string) => {
    const request = http.request(`${program.url}/add`, { method: 'POST', agent: false });
    request.on('error', () => undefined);
    request.end(JSON.stringify({ n: 1, hostnames: [hostname] }));
    return request;
  };
  const first = ask('S1');
  await program.logged((line) => line.event === 'replica-starting' && line.hostname === 'S1');
  const second = ask('S2');
  await once(second, 'finish');
  const third = change(program, 'POST', '/add', { n: 1, hostnames: ['S3'] });
  first.destroy();
  second.destroy();
  t.match(await third, { body: { message: { N: 3, replicas: ['server1', 'S1', 'S3'] } } });
  t.notOk(program.log.some((line) => line.hostname === 'S2'));
  const refused = await program.logged((line) => line.event === 'admin-refused');
  t.match(refused, { level: 'info', reason: /client went before/ });
});

t.test('/rm of a replica that does not come up ends it at once, and the /add that waits for it', async (t) => {
  const program = await startProgram(['--replicas', '1'], {
    REPLICA_ONLY: 'S9',
    REPLICA_START_DELAY_MS: '3600000',
  });
  t.teardown(() => program.stop());
  const adding = change(program, 'POST', '/add', { n: 2, hostnames: ['S8', 'S9'] });
  await program.logged((line) => line.event === 'replica-serving' && line.hostname === 'S8');
  const removed = await change(program, 'DELETE', '/rm', { n: 1, hostnames: ['S9'] });
  t.equal(removed.status, 200);
  t.match(await adding, {
    status: 503,
    body: { message: '<Error> S9 was removed before it was up; nothing was added' },
  });
  t.same(await program.hostnames(), ['server1']);
});
