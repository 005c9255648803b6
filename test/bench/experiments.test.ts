import { execFile } from 'node:child_process';
import { createServer, type RequestListener } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { bodyOf } from '../../bench/backend.ts';
import { runRecovery } from '../../bench/recovery.ts';
import { PARTIAL_OUT, WHOLE_OUT } from '../../bench/report.ts';
import { readRequest } from '../../bench/run.ts';
import { planOf } from '../../bench/scenarios.ts';
import { faultOf, trialsOf } from '../../bench/speed.ts';
import { runSpread, spreadOptions, spreadTasks } from '../../bench/spread.ts';
import { evenness, faultStories } from '../../bench/summaries.ts';
import { parseOptions } from '../../lib/settings/options.ts';

const COMMANDS = {
  report: 'bench/report.ts',
  conformance: 'scripts/conformance.ts',
  demo: 'scripts/demo.ts',
  profile: 'scripts/profile.ts',
};
const RUN = join(import.meta.dirname, '../../bench/run.ts');

t.test('every request of a spread run is counted at the replica that answered it', async (t) => {
  const [two, three] = await runSpread({ hash: 'even', replicas: [2, 3], requests: 512, bounded: false }, 'process');
  // 512 successive ids hit each of the 512 slots once.
  t.same(two?.counts, { server1: 256, server2: 256 });
  t.match(two, { failed: 0, slots: 512, slotShares: { server1: 0.5, server2: 0.5 } });
  t.same(Object.keys(three?.counts ?? {}), ['server1', 'server2', 'server3']);
  t.equal(
    Object.values(three?.counts ?? {}).reduce((sum, count) => sum + count, 0),
    512,
  );
  t.equal(three?.points.length, 27);
});

t.test('the ring alone decides, but for one run of the hash of A-1 with the options as they come', async (t) => {
  const tasks = spreadTasks(planOf(false).spread);
  t.same(
    tasks.filter(({ bounded }) => bounded).map(({ hash, replicas }) => [hash, replicas]),
    [['even', [3]]],
  );
  for (const task of tasks) {
    const off = parseOptions(spreadOptions(task, 'process'), {}).balanceFactor === Number.POSITIVE_INFINITY;
    t.equal(off, !task.bounded, task.hash);
  }
});

t.test('a hash of the user joins the comparison, and is measured as it is', async (t) => {
  const folder = t.testdir({
    // All slots but one lead to the second seat.
    'mine.ts': `export const requestSlot = (key: number) => key;
export const virtualNodeSlot = (seat: number, index: number) => (seat === 1 && index === 0 ? 0 : 1 + index + seat * 20);`,
  });
  const hash = join(folder, 'mine.ts');
  const plan = planOf(true, hash).spread;
  t.same(plan.hashes.slice(-1), [hash]);
  t.equal(spreadTasks(plan)[0]?.hash, hash, 'and is the one of A-1 and A-2');
  const [run] = await runSpread({ hash, replicas: [2], requests: 400, bounded: false }, 'process');
  t.ok(evenness(run as NonNullable<typeof run>).maxOverMean > 1.5);
});

t.test('a kill under load is found out, replaced and told, with every request accounted for', async (t) => {
  const plan = {
    hash: 'even',
    perSecond: 40,
    replicas: 3,
    leadMs: 200,
    faults: [{ kind: 'kill', lastsMs: 1500 }],
  } as const;
  const samples = await runRecovery(plan, 'process');
  const [story] = faultStories({ ...samples, environment: {} as never });
  t.equal(story?.fault.replica, 'server1');
  t.equal(story?.failed, 0);
  t.ok((story?.detectedMs ?? -1) > -1000, 'the loss is logged');
  t.ok((story?.replacedMs ?? 0) > (story?.detectedMs ?? 0), 'the replacement comes after it');
  t.ok((story?.elsewhereMs ?? 0) > 0, 'its keys are answered by another');
  t.same(new Set(samples.requests.map(([, , , status]) => status)), new Set([200]));
  t.same(Object.fromEntries(samples.endpoints.map(({ request, status }) => [request, status])), {
    'GET /home': 200,
    'GET /heartbeat': 200,
    'GET /': 200,
    'GET /sample': 200,
    'GET /api/votes': 200,
    'POST /api/vote {"option":"helm"}': 200,
    'GET /api/votes/stream': 200,
    'GET /rep': 200,
    'POST /add?dry-run {"n":1,"hostnames":["guest"]}': 200,
    'POST /add {"n":1,"hostnames":["guest"]}': 200,
    'POST /add {"n":1,"hostnames":["one","two"]}': 400,
    'GET /other': 400,
    'GET /balancer/': 200,
    'GET /balancer/events': 200,
    'GET /balancer/ring': 200,
    'POST /balancer/explain {"path":"/home?key=1"}': 200,
    'POST /balancer/kill {"hostname":"nobody"}': 400,
    'DELETE /rm?dry-run {"n":1,"hostnames":["guest"]}': 200,
    'DELETE /rm {"n":1,"hostnames":["guest"]}': 200,
    'DELETE /rm {"n":1,"hostnames":["one","two"]}': 400,
  });
  t.match(
    samples.endpoints.find(({ request }) => request === 'GET /api/votes/stream')?.answer,
    /\nevent: replica\ndata: server\d$/,
  );
});

t.test('a proxy is only timed if status, body and backends are right', async (t) => {
  let turn = 0;
  const greet: RequestListener = (_, response) => {
    turn += 1;
    response.end(`Hello from Server: backend-${(turn % 2) + 1}`);
  };
  const right: RequestListener = (request, response) => {
    const [, bytes] = /body-(\d+)/.exec(request.url ?? '') ?? [];
    if (bytes === undefined) greet(request, response);
    else response.end(bodyOf(Number(bytes)));
  };
  const fault = async (listener: RequestListener) => {
    const server = createServer(listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      return await faultOf(`http://127.0.0.1:${(server.address() as { port: number }).port}`, 2);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  };
  t.equal(await fault(right), undefined);
  t.match(await fault((_, response) => response.writeHead(502).end()), /400 of 400 requests were not answered/);
  t.match(await fault((_, response) => response.end('Hello from Server: backend-1')), /only 1 of 2 backends/);
  t.match(await fault(greet), /a body of 1024 bytes did not come whole/);
});

t.test('the command says how it is used, and refuses what it does not know', async (t) => {
  const bench = (...args: string[]) => promisify(execFile)(process.execPath, [RUN, ...args]);
  t.match((await bench('--help')).stdout, /--quick/);
  const refused = (line: RegExp, ...args: string[]) => t.rejects(bench(...args), { code: 2, stdout: '', stderr: line });
  await refused(
    /^bench: --only takes spread, recovery, overload, autoscale, affinity, speed, not nothing\n$/,
    '--only',
    'nothing',
  );
  await refused(/^bench: --runtime takes process or docker, not swarm\n$/, '--runtime', 'swarm');
  await refused(/^bench: Unknown option '--quik'/, '--quik');
  await refused(/^bench: --hash takes even, .*not "evn": did you mean even\?\n$/, '--hash', 'evn');
  await refused(/^bench: .*absent\.ts/, '--hash', './absent.ts');
  const folder = t.testdir({ 'half.ts': 'export const requestSlot = (key: number) => key;' });
  await refused(/cannot be used: it does not export a function virtualNodeSlot\n$/, '--hash', join(folder, 'half.ts'));
});

t.test('only a run with everything takes the place of the committed samples and report', async (t) => {
  const outOf = async (...words: string[]) => {
    const request = await readRequest(words);
    return typeof request === 'string' ? request : request.out;
  };
  t.equal(await outOf(), WHOLE_OUT);
  t.equal(await outOf('--only', 'speed,overload,autoscale,affinity,spread,recovery'), WHOLE_OUT);
  for (const words of [
    ['--only', 'spread'],
    ['--hash', 'even'],
    ['--runtime', 'docker'],
    ['--quick'],
    ['--title', 'x'],
  ]) {
    t.equal(await outOf(...words), PARTIAL_OUT, words.join(' '));
  }
  t.equal(await outOf('--quick', '--out', 'elsewhere'), 'elsewhere');
});

t.test('trials take turns, so that a disturbance falls on one round of each', async (t) => {
  const { speed } = planOf(false);
  const names = trialsOf(speed).map((one) => `${one.bodyBytes} ${one.connections} ${one.round}`);
  t.same(names.slice(0, 3), ['0 64 0', '0 64 1', '0 64 2']);
  const sides = names.slice(3);
  const kinds = sides.length / speed.sideRounds;
  t.equal(new Set(sides).size, sides.length);
  for (const [index, name] of sides.entries()) t.ok(name.endsWith(` ${Math.floor(index / kinds)}`), name);
});

t.test('the report, the demo and the profile refuse what they do not know, too', async (t) => {
  const command = (script: string, ...args: string[]) => {
    return promisify(execFile)(process.execPath, [join(import.meta.dirname, '../..', script), ...args]);
  };
  for (const [name, script] of Object.entries(COMMANDS)) {
    t.match((await command(script, '--help')).stdout, `Usage: npm run ${name}`);
    await t.rejects(command(script, '--wrong'), { code: 2, stdout: '', stderr: `${name}: Unknown option '--wrong'` });
    await t.rejects(command(script, 'word'), { code: 2, stdout: '' });
  }
  const none = { code: 2, stderr: /there are no samples in .*results: npm run bench/ };
  await t.rejects(command('bench/report.ts', '--out', t.testdir()), none);
});
