// The setup of the course: compose up, the contract, a killed replica, a killed balancer, compose down.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { startLoad } from '../../bench/harness/load.ts';
import { composeProject } from '../fixtures/compose.ts';
import { containersOf, docker } from '../fixtures/engine.ts';
import { eventually } from '../fixtures/eventually.ts';
import { composeAttacks } from './compose-attacks.ts';
import { composeNeighbours } from './compose-neighbours.ts';

const project = composeProject('ringmaster-test', 5099);
const { url, ask, hostnames, compose, balancer } = project;

async function composeUpToDown(t: Test): Promise<void> {
  t.teardown(() => project.remove());
  await compose('up', '--build', '--detach', '--wait');

  t.test('the rows of the contract', async (t) => {
    t.same((await ask('GET', '/rep')).body, {
      message: { N: 3, replicas: ['server1', 'server2', 'server3'] },
      status: 'successful',
    });
    t.match((await ask('GET', '/home')).body, { message: /^Hello from Server: server[123]$/, status: 'successful' });
    t.same(await ask('GET', '/other'), {
      status: 400,
      body: { message: "<Error> '/other' endpoint does not exist in server replicas", status: 'failure' },
    });
    t.match((await ask('POST', '/add', { n: 2, hostnames: ['S5', 'S6'] })).body, { message: { N: 5 } });
    t.match((await ask('DELETE', '/rm', { n: 2, hostnames: ['S5', 'S6'] })).body, { message: { N: 3 } });
    t.match(await ask('POST', '/add', { n: 1, hostnames: ['a', 'b'] }), { status: 400 });
    t.match((await ask('POST', '/api/vote', { option: 'helm' })).body, { votes: { helm: 1 } });
    for (let count = 0; count < 6; count++)
      t.match((await ask('GET', '/api/votes')).body, { helm: 1 }, 'votes are shared');
  });

  t.test('the site and its live counts, from containers that cannot write but to the volume', async (t) => {
    for (const [path, text] of [
      ['/', 'id="result-bars"'],
      ['/sample', 'Where do requests land?'],
      ['/site/vote.js', 'EventSource'],
    ] as const)
      t.match(await (await fetch(url + path)).text(), text);
    const left = new AbortController();
    const stream = await fetch(`${url}/api/votes/stream`, { signal: left.signal });
    const vote = { method: 'POST', headers: { 'Idempotency-Key': 'compose' }, body: '{"option":"docker"}' };
    for (let count = 0; count < 4; count++) t.equal((await fetch(`${url}/api/vote`, vote)).status, 200);
    let seen = '';
    for await (const text of stream.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      seen += text;
      if (seen.includes('"docker":1')) break;
    }
    left.abort();
    t.match((await ask('GET', '/api/votes')).body, { docker: 1, helm: 1 });
    const [replica] = await hostnames();
    const modes = await docker('exec', replica as string, 'stat', '-c', '%a', '/data', '/data/votes.sqlite');
    t.equal(modes, '700\n600', 'for nobody but the replicas');
  });

  t.test('docker kill of a replica under load: no failed GET', async (t) => {
    const load = startLoad(`${url}/home`, 100);
    await load.more(30);
    await docker('kill', 'server2');
    await load.more(200);
    const { failures, sent } = await load.stop();
    t.same(failures, []);
    t.ok(sent > 150);
    const names = await hostnames();
    t.equal(names.length, 3);
    t.notOk(names.includes('server2'));
  });

  t.test('the balancer killed with -9 and started again under load: only requests in that gap fail', async (t) => {
    const before = await containersOf(project.name);
    const names = await hostnames();
    const load = startLoad(`${url}/home`, 50);
    await load.more(25);
    const killedMs = performance.now();
    await docker('kill', '--signal', 'KILL', balancer);
    await load.more(25);
    await docker('start', balancer);
    await eventually('it answers again', () =>
      fetch(`${url}/home`).then(
        (response) => response.ok,
        () => false,
      ),
    );
    const backMs = performance.now();
    await load.more(50);
    const { failures } = await load.stop();
    t.ok(failures.length > 0, 'there was a gap');
    // A request sent just before the kill fails with its connection.
    t.same(
      failures.filter(({ atMs }) => atMs < killedMs - 100 || atMs > backMs),
      [],
    );
    t.same(await containersOf(project.name), before, 'the same containers');
    t.same(await hostnames(), names);
  });

  t.test('a replica that was taken over does not reach its balancer', (t) => composeAttacks(t, project));

  t.test('a second checkout beside it', (t) => composeNeighbours(t, project));

  t.test('process 1 of both images ends at once on SIGTERM', async (t) => {
    for (const container of [(await hostnames())[0] as string]) {
      const begunMs = performance.now();
      await docker('stop', '--time', '10', container);
      t.ok(performance.now() - begunMs < 3000, `${container}: ${Math.round(performance.now() - begunMs)} ms`);
    }
  });

  t.test('docker compose down leaves nothing', async (t) => {
    // Replicas that were stopped just now are being replaced by then, and no replacement may be left either.
    await sleep(2000);
    const begunMs = performance.now();
    await compose('down');
    t.ok(performance.now() - begunMs < 15_000);
    t.same(await containersOf(project.name), []);
    t.equal(await docker('ps', '--all', '--quiet', '--filter', `name=${project.name}`), '');
    t.equal(await docker('network', 'ls', '--quiet', '--filter', `name=^${project.name}_`), '');
  });
}

export { composeUpToDown as compose };
