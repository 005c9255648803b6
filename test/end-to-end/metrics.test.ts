// The metrics as Debian's Prometheus reads them from the real program under load: every number that requests should have
// made, every expression of the dashboard, and an alert that fires.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { endWithUs } from '../../bench/harness/children.ts';
import { unlessInstalled } from '../../bench/harness/peers.ts';
import { freePort } from '../../bench/harness/ports.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { hashText } from '../../lib/core/ring/hashes/text.ts';
import { eventually } from '../fixtures/eventually.ts';
import { reply, type ScriptedReplica, scriptedReplica } from '../fixtures/scripted-replica.ts';

t.setTimeout(300_000);

const GRAFANA = fileURLToPath(new URL('../../scripts/grafana/', import.meta.url));

/** Breaks off at /lose, answers 500 at /err, and 200 elsewhere. */
const service = () =>
  scriptedReplica((socket, head) => {
    if (head.includes(' /lose ')) socket.destroy();
    else if (head.includes(' /err ')) socket.write(reply('', '', '500 Sorry'));
    else socket.write(reply('x'));
  });

const startOver = async (t: Test, services: ScriptedReplica[], ...args: string[]) => {
  const program = await startProgram(['--upstream', services.map(({ upstream }) => upstream).join(','), ...args]);
  t.teardown(async () => {
    await program.stop();
    await Promise.all(services.map((one) => one.close()));
  });
  return program;
};

const metricsOf = async ({ url }: Pick<Program, 'url'>, accept = '*/*') => {
  const response = await fetch(`${url}/balancer/metrics`, { headers: { Accept: accept } });
  return { type: response.headers.get('content-type') ?? '', text: await response.text() };
};

/** The sum of all samples of that name whose labels have these. */
const total = (text: string, name: string, ...having: string[]) =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .filter((line) => having.every((one) => line.includes(one)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);

const MOST_READ = { skip: unlessInstalled('promtool') };

for (const workers of [1, 2]) {
  t.test(`requests are told exactly, over ${workers} of workers`, async (t) => {
    const program = await startOver(t, [await service(), await service()], '--workers', String(workers));
    for (let count = 0; count < 20; count++) await program.call('GET', '/home');
    for (let count = 0; count < 5; count++) await program.call('POST', '/err', {});
    await program.call('POST', '/lose', {});
    // A request is counted when it is over, which may be a moment after its reply is here.
    await eventually(
      'all are counted',
      async () => total((await metricsOf(program)).text, 'ringmaster_requests_total') >= 26,
    );
    const { text, type } = await metricsOf(program);
    t.equal(type, 'text/plain; version=0.0.4; charset=utf-8');
    t.equal(total(text, 'ringmaster_requests_total'), 26);
    t.equal(total(text, 'ringmaster_requests_total', 'method="read"', 'status="2xx"'), 20);
    t.equal(total(text, 'ringmaster_requests_total', 'method="write"', 'status="5xx"'), 5);
    t.equal(total(text, 'ringmaster_requests_total', 'method="write"', 'status="failed"'), 1);
    t.equal(total(text, 'ringmaster_requests_lost_total', 'reason="connection-lost"'), 1);
    t.equal(total(text, 'ringmaster_request_duration_seconds_count'), 26);
    t.equal(total(text, 'ringmaster_request_first_byte_seconds_count'), 25);
    t.equal(total(text, 'ringmaster_request_queue_seconds_count'), 26);
    t.equal(total(text, 'ringmaster_requests_in_flight'), 0);
    const attempts = ['opened', 'reused'].map((how) => total(text, `ringmaster_replica_connections_${how}_total`));
    const retries = total(text, 'ringmaster_retries_total');
    t.equal((attempts[0] ?? 0) + (attempts[1] ?? 0), 26 + retries);
    t.equal(
      total(text, 'ringmaster_seats', 'state="serving"') + total(text, 'ringmaster_seats', 'state="suspected"'),
      2,
    );
    const shares = total(text, 'ringmaster_ring_share_ratio');
    t.ok(Math.abs(shares - 1) < 1e-9, `${shares}`);
    const open = await metricsOf(program, 'application/openmetrics-text;version=1.0.0');
    t.match(open.type, /^application\/openmetrics-text; version=1.0.0/);
    t.ok(open.text.endsWith('# EOF\n'));
  });
}

t.test('what a seat has counted stays when another replica takes it', async (t) => {
  const program = await startProgram(['--replicas', '1', '--workers', '2']);
  t.teardown(() => program.stop());
  for (let count = 0; count < 10; count++) await program.call('GET', '/home');
  await program.call('POST', '/balancer/kill', { hostname: 'server1' });
  await program.logged(({ event }) => event === 'replica-lost');
  await program.logged(({ event, incarnation }) => event === 'replica-serving' && incarnation !== 1);
  for (let count = 0; count < 10; count++) await program.call('GET', '/home');
  const read = async () => (await metricsOf(program)).text;
  await eventually('all are counted', async () => total(await read(), 'ringmaster_requests_total', 'seat="1"') >= 20);
  const text = await read();
  t.equal(total(text, 'ringmaster_replica_losses_total', 'seat="1"'), 1);
  t.equal(total(text, 'ringmaster_replica_starts_total', 'seat="1"'), 2);
  t.match(text, /ringmaster_replica_info\{seat="1",hostname="server_\w+",incarnation="\d+"\} 1/);
});

t.test('what a worker has counted stays when it ends', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-metrics-'));
  const hash = join(directory, 'hash.mjs');
  await writeFile(
    hash,
    `import { isMainThread } from 'node:worker_threads';
     export function requestSlot(key, slots) {
       if (!isMainThread && key === ${hashText('exits')}) process.exit(3);
       return key % slots;
     }
     export const virtualNodeSlot = (place, index, slots) => place * 100 + index * 7;`,
  );
  const program = await startOver(t, [await service()], '--workers=2', `--hash=${hash}`, '--key=header:x-do');
  t.teardown(() => rm(directory, { recursive: true }));
  for (let count = 0; count < 20; count++) await program.call('GET', '/home');
  const read = async () => total((await metricsOf(program)).text, 'ringmaster_requests_total');
  await eventually('all are counted', async () => (await read()) === 20);
  // Perhaps the same worker, or the one that took its place: what both had counted is kept either way.
  for (let count = 0; count < 2; count++) {
    await fetch(program.url, { headers: { 'X-Do': 'exits' } }).catch(() => undefined);
    await eventually(
      `worker lost ${count}`,
      () => program.log.filter(({ event }) => event === 'worker-replaced').length > count,
    );
    t.equal(await read(), 20);
  }
});

t.test('the metrics are on the admin port, if there is one, and only there', async (t) => {
  const port = await freePort();
  const program = await startOver(t, [await service()], '--admin-port', String(port));
  t.match((await metricsOf({ url: `http://127.0.0.1:${port}` })).text, /^ringmaster_takes_requests 1$/m);
  t.equal((await metricsOf(program)).text, 'x', 'it is a request for the service');
});

t.test('promtool finds no fault', MOST_READ, async (t) => {
  const program = await startOver(t, [await service()]);
  await program.call('GET', '/home');
  const { text } = await metricsOf(program);
  const promtool = (args: string[], input = '') => {
    const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: GRAFANA, input, encoding: 'utf8' });
    t.equal(status, 0, `promtool ${args.join(' ')}: ${stdout}${stderr}`);
  };
  promtool(['check', 'metrics'], text);
  promtool(['check', 'config', 'prometheus.yaml']);
  promtool(['check', 'rules', 'alerts.yaml']);
  promtool(['test', 'rules', 'alerts-test.yaml']);
});

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

/** Starts Prometheus with our rules, as alerts that wait for nothing, scraping that port each second. */
async function startPrometheus(t: Test, port: number): Promise<(path: string) => Promise<{ data: never }>> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-prometheus-'));
  const rules = await readFile(join(GRAFANA, 'alerts.yaml'), 'utf8');
  const example = await readFile(join(GRAFANA, 'prometheus.yaml'), 'utf8');
  await writeFile(join(directory, 'alerts.yaml'), rules.replaceAll(/for: \w+/g, 'for: 0s'));
  const config = example.replaceAll('15s', '1s').replace('localhost:5000', `127.0.0.1:${port}`);
  await writeFile(join(directory, 'prometheus.yaml'), config);
  const own = await freePort();
  const args = [`--config.file=${directory}/prometheus.yaml`, `--storage.tsdb.path=${directory}/data`];
  const child = endWithUs(
    spawn('prometheus', [...args, `--web.listen-address=127.0.0.1:${own}`], { stdio: 'ignore', cwd: directory }),
  );
  const ended = once(child, 'exit');
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(directory, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${own}`;
  await eventually('Prometheus is ready', () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  return async (path) => (await (await fetch(`${url}/api/v1/${path}`)).json()) as { data: never };
}

t.test(
  'a real Prometheus scrapes it: the dashboard has data, and an alert fires',
  { skip: unlessInstalled('prometheus') },
  async (t) => {
    const [one, other] = [await service(), await service()];
    const program = await startOver(t, [one, other]);
    const get = await startPrometheus(t, program.port);
    const query = async (expr: string) =>
      ((await get(`query?query=${encodeURIComponent(expr)}`)).data as { result: { value: [number, string] }[] }).result;
    const { panels } = JSON.parse(await readFile(join(GRAFANA, 'dashboard.json'), 'utf8')) as Dashboard;
    const expressions = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })));
    const empty = new Set(expressions);
    await eventually('every expression of the dashboard has data', async () => {
      for (const path of ['/home', '/home', '/err', '/lose']) await program.call('GET', path);
      for (const one of empty) {
        const result = await query(one.expr.replaceAll('$instance', '.+').replaceAll('$__rate_interval', '1m'));
        if (result.some(({ value }) => Number.isFinite(Number(value[1])))) empty.delete(one);
      }
      return empty.size === 0;
    }).catch((error) => t.fail(error.message, { empty: [...empty] }));
    t.comment(`${expressions.length} expressions in ${panels.length} panels`);
    const { activeTargets } = (await get('targets')).data as { activeTargets: { health: string; lastError: string }[] };
    t.match(activeTargets, [{ health: 'up', lastError: '' }]);
    const rules = (await get('rules')).data as { groups: { rules: { name: string; health: string }[] }[] };
    t.same(
      rules.groups.flatMap((group) => group.rules.map(({ name, health }) => `${name} ${health}`)),
      ['RingmasterNoReplica ok', 'RingmasterErrors ok', 'RingmasterSeatsMissing ok', 'RingmasterQueueing ok'],
    );
    await Promise.all([one.close(), other.close()]);
    await eventually('the alert fires', async () => {
      const { alerts } = (await get('alerts')).data as { alerts: { labels: { alertname: string }; state: string }[] };
      return alerts.some(({ labels, state }) => labels.alertname === 'RingmasterNoReplica' && state === 'firing');
    });
  },
);
