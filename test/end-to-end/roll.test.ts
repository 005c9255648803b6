// Rolling replacement of the running program: seat by seat, without a failed request, stopped at the first replica that
// does not come up, with canaries, held, undone. ROLLS=50 plays as many under load.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startLastingLoad } from '../../bench/harness/lasting-load.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { stopNewest, upgrade } from '../../bench/harness/upgrades.ts';
import { eventually } from '../fixtures/eventually.ts';

const ROLLS = Number(process.env.ROLLS ?? 2);

t.setTimeout(60_000 + ROLLS * 20_000);

const SERVICE = `
const server = require('node:http').createServer((request, response) => response.end(process.env.VERSION ?? 'first'));
const { WAITS_FOR, PORT, HOST } = process.env;
const begin = () => {
  if (WAITS_FOR !== undefined && !require('node:fs').existsSync(WAITS_FOR)) setTimeout(begin, 20);
  else server.listen(PORT, HOST);
};
begin();
process.on('SIGTERM', () => server.close(() => process.exit()));
`;

async function started(t: Test, ...options: string[]): Promise<Program> {
  const program = await startProgram([
    ...['--replicas', '3', '--heartbeat-path', '/', '--key', 'path', '--replica-output', 'off', ...options],
    ...['--', process.execPath, '-e', SERVICE],
  ]);
  t.teardown(() => program.stop());
  return program;
}

async function roll(program: Program, body: unknown) {
  const { status, text } = await program.call('POST', '/balancer/roll', body);
  return { status, message: JSON.parse(text).message as unknown };
}

async function digest(program: Program): Promise<unknown> {
  const { body } = await program.json('/balancer/ring');
  const { digest, points } = body as { digest: string; points: { slot: number; seat: number }[] };
  return { digest, points: points.map(({ slot, seat }) => [slot, seat]) };
}

/** The versions that answer many keys. */
async function versions(program: Program): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: 60 }, (_, key) => program.call('GET', `/${key}`)));
  return [...new Set(answers.map(({ text }) => text))].sort();
}

for (const workers of ['1', '2']) {
  t.test(`${ROLLS} rolls under load with --workers ${workers}: no failed request, and no key moves`, (t) =>
    rollUnderLoad(t, workers),
  );
}

async function rollUnderLoad(t: Test, workers: string): Promise<void> {
  const program = await started(t, '--workers', workers);
  const before = await digest(program);
  const load = startLastingLoad(program.port, { newPerSecond: 100, kept: 16, streams: 0, sockets: 0 });
  await load.allServed();
  for (let number = 1; number <= ROLLS; number++) {
    const names = await program.hostnames();
    const { status, message } = await roll(program, { env: { VERSION: `version ${number}` } });
    t.match({ status, message }, { status: 200, message: { phase: 'done', left: [] } });
    const after = await program.hostnames();
    t.equal(after.filter((name) => names.includes(name)).length, 0, 'all are others');
    t.same((message as { replaced: string[] }).replaced.toSorted(), after.toSorted());
    t.same(await versions(program), [`version ${number}`]);
    await load.allServed();
  }
  const { refused, reset, failed, faults, requests, onKept } = await load.stop();
  t.same({ refused, reset, failed, faults }, { refused: 0, reset: 0, failed: 0, faults: [] });
  t.comment(`${requests} requests on new connections, ${onKept} on kept ones`);
  t.same(await digest(program), before);
}

t.test('one that does not come up stops the roll, and those before it keep their places', async (t) => {
  const program = await started(t);
  const names = await program.hostnames();
  const failing = await roll(program, { command: ['node', '-e', 'console.error("no config"); process.exit(3)'] });
  t.match(failing, { status: 503, message: /seat 1 did not come up: .*(exit code 3|no config).*0 were replaced/s });
  t.same(await program.hostnames(), names, 'nothing was replaced');
  t.same(await versions(program), ['first']);
  t.match((await program.json('/balancer/rolled')).body, { message: { phase: 'stopped', replaced: [], left: names } });
  t.match(await roll(program, {}), { status: 409, message: /a roll has not ended/ });
  t.match(await roll(program, { undo: true }), { status: 200, message: { phase: 'undone' } });
  t.match(await roll(program, { continue: true }), { status: 409, message: /no roll waits/ });
  t.same(await program.hostnames(), names);
  await program.logged(({ event }) => event === 'roll-stopped');
});

t.test('a canary has its share of keys, and all go on or it is undone', async (t) => {
  const program = await started(t);
  const names = await program.hostnames();
  const canary = await roll(program, { env: { VERSION: 'second' }, canary: 1 });
  t.match(canary, { status: 200, message: { phase: 'canary', left: names.slice(1) } });
  t.same(await versions(program), ['first', 'second']);
  // A canary that dies comes back as a canary, and the others as they were.
  for (const hostname of await program.hostnames()) {
    await program.call('POST', '/balancer/kill', { hostname });
    await program.logged(({ event, reason, ...line }) => event === 'replica-lost' && line.hostname === hostname);
    await program.logged(({ event, seat, time }) => event === 'replica-serving' && seat !== undefined && time !== '');
  }
  for (;;) if ((await program.json('/balancer/ready')).status === 200 && (await allServe(program))) break;
  t.same(await versions(program), ['first', 'second']);
  t.match(await roll(program, { undo: true }), { status: 200, message: { phase: 'undone', left: [] } });
  t.same(await versions(program), ['first']);
  t.match(await roll(program, { env: { VERSION: 'third' }, canary: 2 }), { message: { phase: 'canary' } });
  t.match(await roll(program, { continue: true }), { status: 200, message: { phase: 'done' } });
  t.same(await versions(program), ['third']);
  const { text } = await program.call('POST', '/add', { n: 1, hostnames: [] });
  t.match(JSON.parse(text), { message: { N: 4 } });
  t.same(await versions(program), ['third'], 'those that join later are made so too');
});

/** No seat is without its replica. */
async function allServe(program: Program): Promise<boolean> {
  const { body } = await program.json('/balancer/ring');
  return Object.keys((body as { absent: object }).absent).length === 0;
}

t.test('a roll that is done can be undone, with those that joined since', async (t) => {
  const program = await started(t);
  t.match(await roll(program, { undo: true }), { status: 409, message: /no roll to undo/ });
  t.match(await roll(program, { env: { VERSION: 'second' } }), { message: { phase: 'done' } });
  await program.call('POST', '/add', { n: 1, hostnames: ['S4'] });
  t.same(await versions(program), ['second']);
  t.match(await roll(program, { undo: true }), { status: 200, message: { phase: 'undone', replaced: [] } });
  t.same(await versions(program), ['first']);
  t.notOk((await program.hostnames()).includes('S4'));
  await program.call('POST', '/add', { n: 1, hostnames: ['S5'] });
  t.same(await versions(program), ['first']);
});

t.test('a canary may be removed: the rest is undone, and its seat is no canary any more', async (t) => {
  const program = await started(t);
  const canaries = await roll(program, { env: { VERSION: 'second' }, canary: 2 });
  const { replaced } = canaries.message as { replaced: string[] };
  t.equal(replaced.length, 2);
  t.equal((await program.call('DELETE', '/rm', { n: 1, hostnames: [replaced[1]] })).status, 200);
  t.match((await program.json('/balancer/rolled')).body, { message: { phase: 'canary', replaced: [replaced[0]] } });
  t.equal((await program.call('POST', '/add', { n: 1, hostnames: ['S4'] })).status, 200);
  t.match((await program.json('/balancer/rolled')).body, { message: { left: ['S4', 'server3'] } });
  t.match(await roll(program, { undo: true }), { status: 200, message: { phase: 'undone' } });
  t.same(await versions(program), ['first']);
});

t.test('a roll under way waits when it is told to, and refuses another', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'roll-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = join(directory, 'begin');
  const program = await started(t);
  t.match(await roll(program, { hold: true }), { status: 409, message: /no roll is under way/ });
  const rolling = roll(program, { env: { VERSION: 'second', WAITS_FOR: file } });
  await program.logged(({ event }) => event === 'roll-begun');
  t.match((await program.json('/balancer/rolled')).body, { message: { phase: 'rolling', replaced: [] } });
  t.match(await roll(program, {}), { status: 409, message: /a roll is under way/ });
  t.match(await roll(program, { hold: true }), { status: 200, message: { phase: 'rolling' } });
  await writeFile(file, '');
  t.match(await rolling, { status: 200, message: { phase: 'held', left: ['server2', 'server3'] } });
  t.same(await versions(program), ['first', 'second']);
  t.match(await roll(program, { undo: true }), { status: 200, message: { phase: 'undone' } });
  t.same(await versions(program), ['first']);
});

t.test('an upgrade keeps what a roll has made, and waits for none', async (t) => {
  const program = await started(t);
  t.match(await roll(program, { env: { VERSION: 'second' }, canary: 1 }), { message: { phase: 'canary' } });
  t.match(await program.call('POST', '/balancer/upgrade'), { status: 409, text: /a roll has not ended/ });
  t.match(await roll(program, { continue: true }), { message: { phase: 'done' } });
  await program.call('POST', '/balancer/pause');
  t.match(await program.call('POST', '/balancer/upgrade'), { status: 409, text: /held back/ });
  await program.call('POST', '/balancer/resume');
  const names = await program.hostnames();
  await upgrade(program);
  t.teardown(() => stopNewest(program));
  t.same(await program.hostnames(), names);
  for (const hostname of names) await program.call('POST', '/balancer/kill', { hostname });
  await eventually('all are others', async () => {
    const now = await program.hostnames();
    return names.every((name) => !now.includes(name)) && (await allServe(program));
  });
  t.same(await versions(program), ['second']);
});

t.test('what cannot be is refused, and changes nothing', async (t) => {
  const program = await started(t);
  const names = await program.hostnames();
  const bad: [unknown, number, RegExp][] = [
    [{ command: 'node' }, 400, /command must be a list of words/],
    [{ command: [] }, 400, /command\[0\] must be a text/],
    [{ command: ['node', 1] }, 400, /command\[1\] must be a text, not 1/],
    [{ command: ['node', '{socket}'] }, 400, /replicas listen on a port/],
    [{ image: 'app' }, 400, /image is for containers/],
    [{ env: { PORT: '1' } }, 400, /env cannot set PORT/],
    [{ env: { 'a b': '1' } }, 400, /no name of a variable/],
    [{ env: { A: 1 } }, 400, /must be a text, not 1/],
    [{ canary: 0 }, 400, /canary must be a whole number from 1/],
    [{ canaries: 1 }, 400, /no member "canaries"/],
    [{ continue: true, undo: true }, 400, /stand alone/],
    [{ hold: 1 }, 400, /hold must be true/],
    [{ undo: true, canary: 1 }, 400, /no member "canary"/],
  ];
  for (const [body, status, message] of bad) t.match(await roll(program, body), { status, message });
  t.same(await program.hostnames(), names);
  const others = await startProgram(['--upstream', '127.0.0.1:1', '--heartbeat-path', 'off']);
  t.teardown(() => others.stop());
  t.match(await roll(others, {}), { status: 409, message: /somebody else runs the replicas/ });
});
