// A Docker daemon that is away, slow, full or refuses: the real engine behind a proxy that the test can close.

import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { startLoad } from '../../bench/harness/load.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { docker, type EngineDoor, engineDoor, removeFleet } from '../fixtures/engine.ts';
import { eventually } from '../fixtures/eventually.ts';

const FLEET = 'test-faults';
const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));
const args = ['--runtime', 'docker', '--fleet', FLEET, '--docker-volume', 'ringmaster-test:/data'];

/** The exit code and standard error of a balancer that does not start. */
function failedStart(host: string): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    const environment = { ...process.env, DOCKER_HOST: host };
    execFile(
      process.execPath,
      [MAIN, ...args, '--port', '0', '--log', 'off'],
      { env: environment },
      (error, _stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stderr }),
    );
  });
}

export async function daemonFaults(t: Test): Promise<void> {
  t.teardown(() => removeFleet(FLEET));
  const door = await engineDoor();
  t.teardown(() => door.shut());

  await t.test('a daemon that is not there at start: one clear line, exit code 1', async (t) => {
    const { code, stderr } = await failedStart('unix:///nowhere/docker.sock');
    t.equal(code, 1);
    t.match(stderr, /^ringmaster: cannot reach Docker: Docker does not run: start it, or set DOCKER_HOST \(.*\)\n$/);
  });

  const program = await startProgram(args, { DOCKER_HOST: door.host });
  t.teardown(() => program.stop());
  await withFaults(t, program, door);
}

async function withFaults(t: Test, program: Program, door: EngineDoor): Promise<void> {
  const complete = () => eventually('all serve', async () => (await placesServing(program)) === 3, 120_000);
  const killOne = async () => {
    const [victim] = await program.hostnames();
    const lost = program.logged((line) => line.event === 'replica-lost' && line.hostname === victim);
    await docker('kill', victim as string);
    return lost;
  };

  for (const [what, status, message, advice] of [
    [
      'a full disk',
      500,
      'write /var/lib/docker: no space left on device',
      /the disk of Docker is full: docker system prune/,
    ],
    ['no permission', 403, 'authorization denied by plugin', /Docker answered 403 .*authorization denied/],
  ] as const) {
    t.test(
      `${what}: requests go on to those that live, the message says what to do, and it mends itself`,
      async (t) => {
        const load = startLoad(`${program.url}/home`, 50);
        door.intercept = async (method, path) =>
          method === 'POST' && path.includes('/create') ? { status, message } : undefined;
        await killOne();
        const failed = await program.logged(
          (line) => line.event === 'replica-lost' && advice.test(String(line.reason)),
        );
        t.match(failed.reason, advice);
        door.intercept = () => Promise.resolve(undefined);
        await complete();
        t.same((await load.stop()).failures, []);
      },
    );
  }

  t.test('a daemon that takes 10 s to create: the seat waits, no request does', async (t) => {
    const load = startLoad(`${program.url}/home`, 50);
    door.intercept = async (method, path) => {
      // The wait is the slow engine that this test is about.
      if (method === 'POST' && path.includes('/create')) await sleep(10_000);
      return undefined;
    };
    await killOne();
    await complete();
    door.intercept = () => Promise.resolve(undefined);
    const { failures, sent } = await load.stop();
    t.same(failures, []);
    t.ok(sent > 400, `${sent} requests in that time`);
  });

  t.test(
    'a daemon that goes away and comes back: what happened meanwhile is found out, wanted is reached',
    async (t) => {
      const load = startLoad(`${program.url}/home`, 50);
      await door.shut();
      await killOne();
      await program.logged(
        (line) => line.event === 'replica-lost' && /Docker does not run: start it/.test(String(line.reason)),
      );
      await door.open();
      await program.logged((line) => line.event === 'docker-restored');
      await complete();
      t.same((await load.stop()).failures, []);
    },
  );

  t.test('an image that was removed is built again', async (t) => {
    const image = await docker('inspect', '--format', '{{.Config.Image}}', (await program.hostnames())[0] as string);
    await docker('rmi', '--force', image);
    await killOne();
    await complete();
    t.ok(await docker('image', 'inspect', '--format', '{{.Id}}', image));
  });
}

/** How many different replicas answered 30 requests. */
async function placesServing(program: Program): Promise<number> {
  const seen = new Set<unknown>();
  for (let count = 0; count < 30; count++) seen.add(JSON.stringify((await program.json('/home')).body));
  return seen.size;
}
