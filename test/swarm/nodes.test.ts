// A node of a Swarm whose cable is taken out, and a balancer that is killed. The Swarm itself is made here, of three
// engines in namespaces of their own (nodes.sh), which takes root and minutes. So it is run on demand:
//   SWARM_NODES=1 node test/swarm/nodes.test.ts
// What it measures is printed, since times differ with the machine; what must hold on every machine is asserted.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { type LogLine, type Program, startProgram } from '../../bench/harness/program.ts';
import { engineMissing } from '../fixtures/engine.ts';
import { eventually } from '../fixtures/eventually.ts';

const DIRECTORY = '/tmp/ringmaster-swarm-test';
const MANAGER = `unix://${DIRECTORY}/node1/docker.sock`;
const NODES = fileURLToPath(new URL('nodes.sh', import.meta.url));
const FLEET = 'test-nodes';
// Three on each node: more than start at a time, so one starts when the services of the others are gone.
const REPLICAS = 9;
const KEYS = 120;
const CLIENTS = 4;
const PAUSE_MS = 50;
const LIMIT_MS = 300_000;

// Each answer takes a while, so that the cut finds requests under way.
const SERVICE = `const s = require('http').createServer((q, r) =>
    setTimeout(() => r.end(JSON.stringify({ seat: process.env.RINGMASTER_SEAT })), 50));
  s.listen(process.env.PORT); process.on('SIGTERM', () => s.close(() => process.exit()))`;

function why(): string | undefined {
  if (process.env.SWARM_NODES !== '1') return 'it makes three Docker Engines, so only with SWARM_NODES=1';
  if (process.getuid?.() !== 0) return 'network namespaces take root';
  return engineMissing();
}

const nodes = async (...words: string[]) => {
  await promisify(execFile)(NODES, words, { env: { ...process.env, SWARM_NODES_DIR: DIRECTORY }, timeout: LIMIT_MS });
};

async function manager(...words: string[]): Promise<string> {
  return (await promisify(execFile)('docker', ['-H', MANAGER, ...words])).stdout.trim();
}

/** The node of each replica, by its hostname. */
async function whereabouts(): Promise<Map<string, string>> {
  const ids = await manager('service', 'ls', '--quiet', '--filter', `label=ringmaster.fleet=${FLEET}`);
  const format = ['--filter', 'desired-state=running', '--format', '{{.Name}} {{.Node}}'];
  const lines = (await manager('service', 'ps', ...format, ...ids.split('\n'))).split('\n');
  return new Map(lines.map((line) => line.replace(/\.1(\.\w+)? /, ' ').split(' ') as [string, string]));
}

const start = () =>
  startProgram(
    [
      ...['--runtime', 'swarm', '--fleet', FLEET, '--docker-image', 'node:26-slim', '--docker-port', '5000'],
      ...['--replicas', String(REPLICAS), '--heartbeat-path', '/', '--grace', '3s', '--key', 'header:X-Key'],
      ...['--start-timeout', '120s', '--', 'node', '-e', SERVICE],
    ],
    { DOCKER_HOST: MANAGER },
  );

async function allServe({ json }: Program): Promise<void> {
  const whole = async () => {
    const { absent } = (await json('/balancer/ring')).body as { absent: object };
    return Object.keys(absent).length === 0;
  };
  await eventually('all serve', whole, LIMIT_MS);
}

async function seatOf({ url }: Pick<Program, 'url'>, key: number): Promise<string> {
  const name = createHash('md5').update(String(key)).digest('hex');
  const response = await fetch(`${url}/x`, { headers: { 'X-Key': name } });
  return response.status === 200 ? ((await response.json()) as { seat: string }).seat : `status ${response.status}`;
}

async function owners(program: Program): Promise<string[]> {
  const all: string[] = [];
  for (let key = 0; key < KEYS; key++) all.push(await seatOf(program, key));
  return all;
}

/** Clients that ask by GET, one request after the other, until they are stopped. */
function asking(program: Program) {
  let asked = 0;
  let slowestMs = 0;
  let goesOn = true;
  const failures: string[] = [];
  const client = async (first: number) => {
    for (let key = first; goesOn; key = (key + CLIENTS) % KEYS, asked++) {
      const beganMs = performance.now();
      const seat = await seatOf(program, key).catch((error) => String(error.cause ?? error));
      if (!/^\d+$/.test(seat)) failures.push(seat);
      slowestMs = Math.max(slowestMs, performance.now() - beganMs);
      await sleep(PAUSE_MS);
    }
  };
  const all = Promise.all(Array.from({ length: CLIENTS }, (_, first) => client(first)));
  return {
    stop: async () => {
      goesOn = false;
      await all;
      return { asked, failures, slowestMs: Math.round(slowestMs) };
    },
  };
}

async function nodeIsCut(t: Test, program: Program): Promise<void> {
  const [before, where] = [await owners(program), await whereabouts()];
  t.same([...new Set(where.values())].sort(), ['node1', 'node2', 'node3'], 'spread over all nodes');
  const lost = [...where].flatMap(([hostname, node]) => (node === 'node3' ? [hostname] : []));
  const load = asking(program);
  await sleep(2000);
  const cutMs = Date.now();
  await nodes('cut', '3');
  t.teardown(() => nodes('mend', '3'));
  const since = (event: string) => program.log.filter((line) => line.event === event && afterMs(line) >= 0);
  const afterMs = ({ time }: LogLine) => Date.parse(time) - cutMs;
  const isLost = () => lost.every((one) => since('replica-lost').some(({ hostname }) => hostname === one));
  await eventually('those on the node are given up', isLost, LIMIT_MS);
  await eventually('they serve elsewhere', () => since('replica-serving').length >= lost.length, LIMIT_MS);
  await allServe(program);
  const { asked, failures, slowestMs } = await load.stop();
  const times = (event: string) => since(event).map((line) => afterMs(line));
  t.comment(`suspected after ${times('replica-suspected')} ms, given up after ${times('replica-lost')} ms`);
  t.comment(`serving elsewhere after ${times('replica-serving')} ms; slowest request ${slowestMs} ms`);
  const given = since('replica-lost').map(({ hostname }) => String(hostname));
  t.same(given.toSorted(), lost.toSorted(), 'no start was tried in vain');
  t.same(failures, [], `of ${asked} GETs`);
  t.same(await owners(program), before, 'no key has moved');
  const now = await whereabouts();
  for (const { hostname } of since('replica-serving')) {
    t.not(now.get(String(hostname)), 'node3', `${hostname} is not where the last one was lost`);
  }
}

async function balancerIsKilled(t: Test, program: Program): Promise<void> {
  const [before, where] = [await owners(program), await whereabouts()];
  const held = net.connect(program.port, '127.0.0.1');
  const ended = new Promise((resolve) => held.once('close', resolve));
  held.on('error', () => undefined);
  await new Promise((resolve) => held.once('connect', resolve));
  program.process.kill('SIGKILL');
  await Promise.all([program.exited, ended]);
  const next = await start();
  t.teardown(() => next.stop());
  await allServe(next);
  t.same(await whereabouts(), where, 'the same replicas, where they were');
  t.notOk(next.log.some(({ event }) => event === 'replica-starting'));
  t.same(await owners(next), before, 'no key has moved');
}

const missing = why();
t.test('a Swarm of three nodes', missing === undefined ? { timeout: 0 } : { skip: missing }, async (t) => {
  t.teardown(() => nodes('down'));
  await nodes('up', '3');
  const program = await start();
  t.teardown(() => program.stop());
  await allServe(program);
  await t.test('a node that is cut off fails no GET, and its seats serve elsewhere', (t) => nodeIsCut(t, program));
  await t.test('a balancer that is killed takes its connections with it, and nothing else', (t) =>
    balancerIsKilled(t, program),
  );
});
