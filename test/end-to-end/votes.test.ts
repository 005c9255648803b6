// Votes last: 50 clients send many of them through the ring, while replicas are killed and finally everything is. Like
// the page, a client that gets no 200 sends its vote again with the same key. In the end each vote must be counted
// exactly once.

import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { replicaPid } from '../../bench/harness/faults.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { OPTIONS } from '../../replica/votes.ts';
import { redisMissing, startRedis } from '../fixtures/redis.ts';

const CLIENTS = 50;
const OPTION_ARGS = ['--replicas', '4', '--log', 'off'];

interface Voting {
  /** Votes answered with 200. */
  readonly answered: number;
  /** Tries that got anything else, or nothing. */
  readonly failures: number;
  /** Resolves when that many votes have been answered. */
  until(answered: number): Promise<void>;
  readonly done: Promise<unknown>;
}

/** @param program returns the current program, which may be another one later. */
function startVoting(count: number, program: () => Program): Voting {
  const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS });
  let next = 0;
  let answered = 0;
  let failures = 0;
  const progress = new EventEmitter();
  const send = (body: string, key: string) =>
    new Promise<boolean>((resolve) => {
      const headers = { 'Idempotency-Key': key, 'Content-Length': body.length };
      const { port } = program();
      const request = http.request({ port, path: '/api/vote', method: 'POST', agent, headers, timeout: 5000 });
      request.once('timeout', () => request.destroy());
      request.once('error', () => resolve(false));
      request.once('response', (response) => {
        response.once('error', () => resolve(false));
        response.once('close', () => resolve(response.complete && response.statusCode === 200));
        response.resume();
      });
      request.end(body);
    });
  const client = async () => {
    while (next < count) {
      const body = JSON.stringify({ option: OPTIONS[next++ % OPTIONS.length] });
      const key = randomUUID();
      while (!(await send(body, key))) {
        failures += 1;
        // Waits as a client would, so as not to flood a balancer that is down.
        await sleep(20);
      }
      answered += 1;
      progress.emit('answered');
    }
  };
  const done = Promise.all(Array.from({ length: CLIENTS }, client)).finally(() => agent.destroy());
  return {
    get answered() {
      return answered;
    },
    get failures() {
      return failures;
    },
    until: async (enough) => {
      while (answered < enough) await once(progress, 'answered');
    },
    done,
  };
}

function evenly(count: number): Record<string, number> {
  return Object.fromEntries(OPTIONS.map((option) => [option, count / OPTIONS.length]));
}

/** Kills one replica with -9. Returns whether there was one. */
async function killReplica(program: Program): Promise<boolean> {
  try {
    const hostnames = await program.hostnames();
    process.kill(await replicaPid(program, hostnames[0] as string), 'SIGKILL');
    return true;
  } catch {
    // The replica has just ended, or is just being started.
    return false;
  }
}

async function killEverything(program: Program): Promise<void> {
  const hostnames = await program.hostnames();
  const pids = await Promise.all(hostnames.map((hostname) => replicaPid(program, hostname).catch(() => undefined)));
  program.process.kill('SIGKILL');
  for (const pid of pids) if (pid !== undefined) process.kill(pid, 'SIGKILL');
  await program.exited;
}

async function dataDirectory(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-data-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

t.test(
  '10,000 votes while replicas are killed, then all of it: each answered vote is counted exactly once',
  async (t) => {
    const environment = { DATA_DIR: await dataDirectory(t) };
    let program = await startProgram(OPTION_ARGS, environment);
    t.teardown(() => program.stop());
    const voting = startVoting(10_000, () => program);
    let kills = 0;
    // The last thousand votes are left until everything is killed.
    while (voting.answered < 8500) {
      if (await killReplica(program)) kills += 1;
      await voting.until(voting.answered + 500);
    }
    await killEverything(program);
    program = await startProgram(OPTION_ARGS, environment);
    await voting.done;
    t.equal(voting.answered, 10_000);
    t.ok(kills >= 5, `${kills} replicas were killed`);
    t.ok(voting.failures > 0, `${voting.failures} tries failed and were repeated`);
    t.same((await program.json('/api/votes')).body, evenly(10_000));

    await killEverything(program);
    program = await startProgram(OPTION_ARGS, environment);
    t.same((await program.json('/api/votes')).body, evenly(10_000), 'after kill -9 of everything');
  },
);

const missing = redisMissing();

t.test('the same in Redis, which is killed as well', missing === undefined ? {} : { skip: missing }, async (t) => {
  const redis = await startRedis('secret');
  t.teardown(() => redis.close());
  const program = await startProgram(OPTION_ARGS, { VOTES_URL: redis.url });
  t.teardown(() => program.stop());
  const voting = startVoting(2000, () => program);
  await voting.until(500);
  await killReplica(program);
  await voting.until(1000);
  await redis.kill();
  await redis.start();
  await voting.until(1500);
  await killReplica(program);
  await voting.done;
  t.ok(voting.failures > 0, `${voting.failures} tries failed and were repeated`);
  t.same((await program.json('/api/votes')).body, evenly(2000));
});

t.test('without a key a vote that a killed replica had is not repeated: 502, and counted at most once', async (t) => {
  const program = await startProgram(['--replicas', '1', '--log', 'off'], { REPLICA_CRASH_AFTER: '1' });
  t.teardown(() => program.stop());
  const vote = () => program.json('/api/vote', { method: 'POST', body: '{"option":"helm"}' });
  t.equal((await vote()).status, 200);
  t.equal((await vote()).status, 502);
});

t.test('a page that is open holds up neither the removal of its replica nor the end of the balancer', async (t) => {
  const program = await startProgram(['--replicas', '2', '--grace', '1h']);
  const streams = await Promise.all([1, 2, 3, 4].map(() => fetch(`${program.url}/api/votes/stream`)));
  const ends = streams.map((stream) => stream.text());
  t.match(await program.json('/rm', { method: 'DELETE', body: '{"n":1}' }), { status: 200 });
  program.process.kill('SIGTERM');
  t.equal(await program.exited, 0);
  await Promise.all(ends);
});
