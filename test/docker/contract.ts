// The contract of runtimes on real containers, and what only containers have: names, labels, limits, strangers.

import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { Address, RuntimeNews } from '../../lib/core/ports.ts';
import { realClock } from '../../lib/fleet/clock.ts';
import { httpProbe } from '../../lib/fleet/health/http-probe.ts';
import { createDockerRuntime, type DockerRuntimeOptions } from '../../lib/fleet/runtimes/docker/docker.ts';
import { createLog } from '../../lib/log.ts';
import { runtimeContract } from '../contract/runtime.ts';
import { docker, engineDoor } from '../fixtures/engine.ts';

const answers = (address: Address) =>
  httpProbe('/heartbeat')(address, AbortSignal.timeout(2000)).then(
    () => true,
    () => false,
  );

const options: DockerRuntimeOptions = {
  fleet: 'test-contract',
  image: { type: 'checkout', root: fileURLToPath(new URL('../..', import.meta.url)) },
  network: undefined,
  command: [],
  port: 0,
  volumes: new Map([['/data', 'ringmaster-test-contract']]),
  environment: new Map([
    ['VOTES_URL', 'redis://votes.invalid/1'],
    ['ME', '{id} at {port} of {seat}'],
  ]),
  memoryBytes: 128 * 2 ** 20,
  cpus: 0.5,
  isLockedDown: true,
  hasInit: false,
  clock: realClock,
  log: createLog(
    'off',
    () => undefined,
    () => new Date(),
  ),
};

export async function contract(t: Test): Promise<void> {
  t.teardown(() => docker('volume', 'rm', '--force', 'ringmaster-test-contract'));
  const door = await engineDoor();
  process.env.DOCKER_HOST = door.host;
  t.teardown(async () => {
    delete process.env.DOCKER_HOST;
    await door.shut();
  });

  t.test('the suite', async (t) => {
    t.afterEach(() => {
      door.intercept = () => Promise.resolve(undefined);
    });
    runtimeContract(t, async () => {
      return {
        runtime: createDockerRuntime(options),
        kill: async (replica) => void (await docker('kill', replica.hostname)),
        answers,
        breakNextStart: () => {
          door.intercept = async (method, path) =>
            method === 'POST' && path.endsWith('/start')
              ? { status: 500, message: 'no space left on device' }
              : undefined;
        },
      };
    });
  });

  t.test('a container is locked down, labelled, and named as its replica', async (t) => {
    const runtime = createDockerRuntime(options);
    await runtime.begin();
    const replica = { seat: 7, incarnation: Date.now(), hostname: 'contract_Locked' };
    t.teardown(() => runtime.stop(replica, 0));
    await runtime.start(replica, AbortSignal.timeout(30_000));
    const [inspected] = JSON.parse(await docker('inspect', 'contract_Locked'));
    t.match(inspected, {
      Name: '/contract_Locked',
      Config: {
        Hostname: 'contract_Locked',
        User: 'node',
        Labels: {
          'ringmaster.fleet': 'test-contract',
          'ringmaster.places': '7',
          'ringmaster.incarnation': String(replica.incarnation),
        },
      },
      HostConfig: {
        Memory: options.memoryBytes,
        NanoCpus: 5e8,
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        RestartPolicy: { Name: 'no' },
        Privileged: false,
      },
    });
    const { Env } = inspected.Config as { Env: string[] };
    const own = ['PORT=5000', 'HOST=0.0.0.0', 'SERVER_ID=contract_Locked', 'RINGMASTER_SEAT=7'];
    const given = ['VOTES_URL=redis://votes.invalid/1', 'ME=contract_Locked at 5000 of 7'];
    for (const variable of [...own, ...given, 'DATA_DIR=/data']) t.ok(Env.includes(variable), variable);
    t.equal(inspected.NetworkSettings.Ports['5000/tcp'][0].HostIp, '127.0.0.1', 'published on loopback only');
    t.equal(await docker('exec', 'contract_Locked', 'ls', '/app/replica/node_modules'), '@redis', 'no other package');
  });

  t.test('a container that is not of this fleet is neither listed nor touched', async (t) => {
    const runtime = createDockerRuntime(options);
    await runtime.begin();
    const id = await docker('run', '--detach', '--name', 'test_foreign', 'node:26-slim', 'sleep', '600');
    t.teardown(() => docker('rm', '--force', id));
    const replica = { seat: 1, incarnation: Date.now(), hostname: 'test_foreign' };
    await t.rejects(runtime.start(replica, AbortSignal.timeout(30_000)), {
      code: 'name-taken',
      message: new RegExp(
        `test_foreign is taken by ${id.slice(0, 12)}, which is not ours: .*docker rm -f test_foreign`,
      ),
    });
    await runtime.stop(replica, 0);
    t.same(await runtime.list(), []);
    t.equal(await docker('inspect', '--format', '{{.State.Running}}', id), 'true');
  });

  t.test('what a container wrote before it ended is in the reason', async (t) => {
    const image = 'ringmaster-test-crash';
    const script = "console.log('begun'); setTimeout(() => { throw new Error('no votes today') }, 300)";
    const template = await docker('create', 'node:26-slim', 'node', '-e', script);
    await docker('commit', template, image);
    await docker('rm', template);
    t.teardown(() => docker('rmi', '--force', image));
    const runtime = createDockerRuntime({ ...options, image: { type: 'named', name: image } });
    await runtime.begin();
    t.teardown(() => runtime.close());
    const told = new Promise<RuntimeNews>((resolve) => runtime.watch(resolve));
    const replica = { seat: 1, incarnation: Date.now(), hostname: 'contract_crash' };
    t.teardown(() => runtime.stop(replica, 0));
    await runtime.start(replica, AbortSignal.timeout(30_000));
    t.match(await told, { type: 'exited', reason: 'exit code 1: Error: no votes today' });
  });
}
