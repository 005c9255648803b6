// Of six replicas of the real program, one is slow or fails: it gets fewer requests before heartbeats say anything, and
// all of them again when it is well. How slow a replica is stands in a file that it reads at each request.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { openEvents } from '../fixtures/event-source.ts';
import { eventually } from '../fixtures/eventually.ts';

t.setTimeout(600_000);
// They mostly wait.
t.jobs = 3;

const LATE_MS = 300;
const APP = `
const { readFileSync } = require('node:fs');
const { PORT, SERVER_ID, TEST_DIRECTORY } = process.env;
const doing = () => { try { return readFileSync(TEST_DIRECTORY + '/' + SERVER_ID, 'utf8'); } catch { return ''; } };
let count = 0;
require('node:http').createServer((request, response) => {
  if (request.url === '/heartbeat') return response.end();
  const now = doing();
  count += 1;
  if (now === 'fails' && count % 2 === 0) response.statusCode = 500;
  response.setHeader('Server-Id', SERVER_ID);
  setTimeout(() => response.end(), now === 'slow' ? ${LATE_MS} : 0);
}).listen(PORT);
`;

interface Answered {
  readonly key: string;
  readonly status: number;
  readonly server: string;
}

/** Asks all the time, each time by another key. */
class Load {
  readonly answers: Answered[] = [];
  readonly #url: string;
  #isOver = false;
  readonly #done: Promise<unknown>;

  constructor(url: string) {
    this.#url = url;
    this.#done = Promise.all(Array.from({ length: 12 }, (_, client) => this.#ask(client)));
  }

  /** The next so many answers to requests that have not begun yet. */
  async next(count: number): Promise<Answered[]> {
    // As many as there are clients may be under way.
    const from = this.answers.length + 12;
    await eventually(`${count} answers`, () => this.answers.length >= from + count, 240_000);
    return this.answers.slice(from, from + count);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  async #ask(client: number): Promise<void> {
    for (let number = 0; !this.#isOver; number++) {
      this.answers.push(await ask(this.#url, `${client}-${number}`));
      await sleep(15);
    }
  }
}

async function ask(url: string, key: string, headers: Record<string, string> = {}): Promise<Answered & Response> {
  const response = await fetch(`${url}/`, { headers: { 'X-Key': key, ...headers } });
  await response.arrayBuffer();
  return Object.assign(response, { key, server: response.headers.get('server-id') ?? '' });
}

/** Six replicas under load, by keys. `make` says what one does from now on. */
async function started(t: Test, workers: number) {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-outliers-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const config = join(directory, 'config.json');
  const configure = (easeOutliers: boolean) =>
    writeFileSync(config, JSON.stringify({ ring: { key: ['header:x-key'], 'ease-outliers': easeOutliers } }));
  configure(true);
  const app = join(directory, 'app.cjs');
  writeFileSync(app, APP);
  const environment = ['--replica-env', `TEST_DIRECTORY=${directory}`];
  // Heartbeats are not what is tested, and a busy machine may miss some.
  const health = ['--heartbeat-timeout', '20s', '--connect-timeout', '20s'];
  const args = ['--config', config, '--replicas', '6', '--workers', String(workers), ...environment, ...health];
  const program = await startProgram([...args, '--', process.execPath, app]);
  t.teardown(() => program.stop());
  const make = (server: string, doing: '' | 'slow' | 'fails') => writeFileSync(join(directory, server), doing);
  const load = new Load(program.url);
  t.teardown(() => load.stop());
  return { program, load, make, configure };
}

const events = ({ log }: Program, event: string, hostname: string) =>
  log.filter((line) => line.event === event && line.hostname === hostname).length;
const shareOf = async ({ url }: Program, hostname: string) => {
  const text = await (await fetch(`${url}/balancer/metrics`)).text();
  const seat = hostname.replace('server', '');
  return Number(new RegExp(`^ringmaster_seat_eased_share_ratio\\{seat="${seat}"\\} (\\S+)$`, 'm').exec(text)?.[1]);
};
const easedIn = async (program: Program) =>
  ((await program.json('/balancer/ring')).body as { eased: { replica: string; share: number; reason: string }[] })
    .eased;
const explained = async (program: Program, key: string) =>
  // biome-ignore lint/suspicious/noExplicitAny: what is explained is asked for below.
  JSON.parse((await program.call('POST', '/balancer/explain', { key })).text) as any;
const countOf = (answers: readonly Answered[], server: string) =>
  answers.filter((answer) => answer.server === server).length;

/** Waits until it gets an eighth, then counts its part of the next requests. */
async function isEased(t: Test, program: Program, load: Load, server: string): Promise<void> {
  await program.logged((line) => line.event === 'replica-eased' && line.hostname === server);
  await eventually('an eighth', async () => (await shareOf(program, server)) === 1 / 8, 240_000);
  const answers = await load.next(600);
  const count = countOf(answers, server);
  t.ok(count < 600 / 6 / 2, `${count} of 600 at ${server}: less than half of the fair share`);
  t.ok(answers.every((answer) => answer.server !== ''));
}

async function hasItsShare(t: Test, load: Load, server: string): Promise<void> {
  const count = countOf(await load.next(1200), server);
  // 200 on average; 13 is the standard deviation.
  t.ok(count > 130 && count < 270, `${count} of 1200 at ${server}: its fair share`);
}

for (const workers of [1, 2]) {
  t.test(`${workers} worker(s): a slow replica, then one that fails`, { buffered: true }, async (t) => {
    const { program, load, make, configure } = await started(t, workers);
    const keys = Array.from({ length: 60 }, (_, index) => `key ${index}`);
    const serversOf = () => Promise.all(keys.map(async (key) => (await ask(program.url, key)).server));
    const before = await serversOf();
    t.same(await easedIn(program), []);

    const dashboard = await openEvents(`${program.url}/balancer/events`);
    t.teardown(() => dashboard.close());
    make('server3', 'slow');
    await dashboard.until('fleet', ({ seats }) => /^eased: 1\/8, slow: \d+ ms, others \d+ ms$/.test(seats[2].eased));
    await isEased(t, program, load, 'server3');
    t.ok(
      load.answers.every(({ status }) => status === 200),
      'no request has failed',
    );
    t.match(await easedIn(program), [{ replica: 'server3', share: 1 / 8, reason: /^slow: \d+ ms, others \d+ ms$/ }]);
    const during = await serversOf();
    t.same(await serversOf(), during, 'each key is at one place');
    const moved = keys.filter((_, index) => during[index] !== before[index]);
    t.ok(moved.length > 0 && keys.every((key, index) => !moved.includes(key) || before[index] === 'server3'));
    const [key = ''] = moved;
    t.match(await explained(program, key), {
      owner: 'server3',
      replica: /^server[12456]$/,
      skipped: [{ replica: 'server3', why: 'eased' }],
      eased: [{ replica: 'server3', share: 1 / 8 }],
    });
    const { headers } = await ask(program.url, key, { 'X-Ringmaster-Explain': '1' });
    t.equal(headers.get('x-ringmaster-skipped'), 'server3 (eased)');
    t.match(headers.get('x-ringmaster-eased'), /^server3 1\/8 \(slow: \d+ ms, others \d+ ms\)$/);

    make('server3', '');
    await program.logged((line) => line.event === 'replica-recovered' && line.hostname === 'server3');
    t.equal(await shareOf(program, 'server3'), 1);
    const shown = () => dashboard.events.findLast(({ name }) => name === 'fleet')?.data.seats[2].eased;
    await eventually('the dashboard is told', () => shown() === '');
    t.same(await serversOf(), before, 'keys are back where they were');
    await hasItsShare(t, load, 'server3');
    t.ok(load.answers.every(({ status }) => status === 200));

    make('server5', 'fails');
    await isEased(t, program, load, 'server5');
    t.match(await easedIn(program), [{ replica: 'server5', reason: /^fails: \d+ %, others 0 %$/ }]);
    configure(false);
    t.match(await program.call('POST', '/balancer/reload'), { status: 200 });
    t.same((await explained(program, key)).eased, [], 'at once');
    await program.logged((line) => line.event === 'replica-recovered' && line.hostname === 'server5');
    await hasItsShare(t, load, 'server5');
    t.same(await easedIn(program), []);
    t.equal(events(program, 'replica-eased', 'server5'), 1);
    t.notOk(program.log.some(({ event }) => event === 'replica-lost'));
  });
}

t.test('all slow together: nobody is eased', { buffered: true }, async (t) => {
  const { program, load, make } = await started(t, 1);
  await load.next(300);
  for (const server of await program.hostnames()) make(server, 'slow');
  await sleep(20_000);
  await load.next(200);
  t.same(await easedIn(program), []);
  t.notOk(program.log.some(({ event }) => event === 'replica-eased'));
});
