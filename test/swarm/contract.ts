// The contract of runtimes on the services of a real Swarm, and what only services have.

import type { Test } from 'tap';
import type { Address, RuntimeNews } from '../../lib/core/ports.ts';
import { realClock } from '../../lib/fleet/clock.ts';
import { httpProbe } from '../../lib/fleet/health/http-probe.ts';
import { createSwarmRuntime, type SwarmRuntimeOptions } from '../../lib/fleet/runtimes/swarm/swarm.ts';
import { createLog } from '../../lib/log.ts';
import { runtimeContract } from '../contract/runtime.ts';
import { engineDoor } from '../fixtures/engine.ts';
import {
  crash,
  IS_ENGINE_OF_MACHINE,
  removeServices,
  removeVolume,
  SWARM_ENVIRONMENT,
  servicesOf,
  swarm,
} from '../fixtures/swarm.ts';

const answers = (address: Address) =>
  httpProbe('/')(address, AbortSignal.timeout(2000)).then(
    () => true,
    () => false,
  );

const SERVICE = `process.on('SIGTERM', () => process.exit());
  require('http').createServer((q, r) => r.end('x')).listen(process.env.PORT)`;

const FLEET = 'test-swarm-contract';
const options: SwarmRuntimeOptions = {
  fleet: FLEET,
  image: { type: 'named', name: 'node:26-slim' },
  network: undefined,
  command: ['node', '-e', SERVICE],
  port: 0,
  volumes: new Map([['/data', 'ringmaster-test-swarm']]),
  environment: new Map([['ME', '{id} at {port} of {seat}']]),
  constraints: ['node.role==manager'],
  secrets: [],
  hidden: new Map(),
  memoryBytes: 128 * 2 ** 20,
  cpus: 0.5,
  isLockedDown: true,
  hasInit: false,
  graceMs: 3000,
  clock: realClock,
  log: createLog(
    'off',
    () => undefined,
    () => new Date(),
  ),
};
const limit = () => AbortSignal.timeout(30_000);

export async function contract(t: Test): Promise<void> {
  t.teardown(async () => {
    await removeServices(FLEET);
    await removeVolume('ringmaster-test-swarm');
  });
  const before = process.env.DOCKER_HOST;
  const door = IS_ENGINE_OF_MACHINE ? await engineDoor() : undefined;
  process.env.DOCKER_HOST = door?.host ?? SWARM_ENVIRONMENT.DOCKER_HOST;
  t.teardown(async () => {
    if (before === undefined) delete process.env.DOCKER_HOST;
    else process.env.DOCKER_HOST = before;
    await door?.shut();
  });

  t.test('the suite', async (t) => {
    t.afterEach(() => {
      if (door !== undefined) door.intercept = () => Promise.resolve(undefined);
    });
    runtimeContract(t, async () => ({
      runtime: createSwarmRuntime(options),
      kill: ({ hostname }) => crash(hostname),
      answers,
      ...(door === undefined
        ? {}
        : {
            breakNextStart: () => {
              door.intercept = async (method, path) =>
                method === 'POST' && path.startsWith('/services/create')
                  ? { status: 500, message: 'no space left on device' }
                  : undefined;
            },
          }),
    }));
  });

  t.test('a service is labelled, limited, locked down and placed, and never restarted by the Swarm', async (t) => {
    const runtime = createSwarmRuntime(options);
    await runtime.begin();
    const replica = { seat: 7, extraPlaces: [9], incarnation: Date.now(), hostname: 'contract-Locked' };
    t.teardown(() => runtime.stop(replica, 0));
    await runtime.start(replica, limit());
    const [inspected] = JSON.parse(await swarm('service', 'inspect', 'contract-Locked'));
    t.match(inspected.Spec, {
      Labels: {
        'ringmaster.fleet': FLEET,
        'ringmaster.places': '7,9',
        'ringmaster.incarnation': String(replica.incarnation),
      },
      Mode: { Replicated: { Replicas: 1 } },
      TaskTemplate: {
        ContainerSpec: {
          Hostname: 'contract-Locked',
          ReadOnly: true,
          CapabilityDrop: ['ALL'],
          StopGracePeriod: 3e9,
          Healthcheck: { Test: ['NONE'] },
        },
        Resources: { Limits: { MemoryBytes: options.memoryBytes, NanoCPUs: 5e8, Pids: 1024 } },
        RestartPolicy: { Condition: 'none' },
        Placement: { Constraints: ['node.role==manager'] },
      },
    });
    const { Env } = inspected.Spec.TaskTemplate.ContainerSpec as { Env: string[] };
    const own = ['PORT=5000', 'HOST=0.0.0.0', 'SERVER_ID=contract-Locked', 'RINGMASTER_SEAT=7'];
    for (const variable of [...own, 'ME=contract-Locked at 5000 of 7']) t.ok(Env.includes(variable), variable);
    t.match((await runtime.list())[0]?.replica, replica);
  });

  t.test('secrets are files, and no value of them can be read at the manager', async (t) => {
    await swarm('secret', 'rm', 'ringmaster-test-given').catch(() => undefined);
    const withSecrets = { ...options, hidden: new Map([['VOTES_URL', 'redis://:hush@a']]) };
    const given = { ...withSecrets, secrets: ['ringmaster-test-given'] };
    await t.rejects(createSwarmRuntime(given).begin(), { message: /the Swarm has no secret ringmaster-test-given: / });
    await swarm('secret', 'create', 'ringmaster-test-given', '/etc/hostname');
    const tells = `const read = (name) => { try { return fs.readFileSync('/run/secrets/' + name) } catch { return '' } };
      require('http').createServer((q, r) => r.end(read(q.url.slice(1)))).listen(5000)`;
    const runtime = createSwarmRuntime({ ...given, command: ['node', '-e', tells] });
    await runtime.begin();
    const replica = { seat: 1, incarnation: Date.now(), hostname: 'contract-secret' };
    const address = await runtime.start(replica, limit());
    const { host, port } = address as Extract<Address, { type: 'tcp' }>;
    const read = async (file: string) => {
      while (!(await answers(address))) await realClock.sleep(50);
      return (await fetch(`http://${host}:${port}/${file}`)).text();
    };
    t.equal(await read('VOTES_URL'), 'redis://:hush@a');
    t.ok(await read('ringmaster-test-given'));
    const told = await swarm('service', 'inspect', 'contract-secret');
    t.match(told, /VOTES_URL_FILE=\/run\/secrets\/VOTES_URL/);
    t.notMatch(told, /hush/);
    await runtime.stop(replica, 0);
    await runtime.close();
    t.equal(await swarm('secret', 'ls', '--quiet', '--filter', `label=ringmaster.fleet=${FLEET}`), '', 'none is left');
    await swarm('secret', 'rm', 'ringmaster-test-given');
  });

  t.test('a service that is not of this fleet is neither listed nor touched', async (t) => {
    const runtime = createSwarmRuntime(options);
    await runtime.begin();
    await swarm(
      ...['service', 'create', '--detach', '--quiet', '--no-resolve-image', '--name', 'test-foreign'],
      ...['node:26-slim', 'sleep', '600'],
    );
    t.teardown(() => swarm('service', 'rm', 'test-foreign'));
    const replica = { seat: 1, incarnation: Date.now(), hostname: 'test-foreign' };
    await t.rejects(runtime.start(replica, limit()), {
      code: 'name-taken',
      message: /the service name test-foreign is taken by one which is not ours: .*docker service rm test-foreign/,
    });
    await t.rejects(runtime.start({ ...replica, hostname: 'no.dots_' }, limit()), { code: 'name-refused' });
    await runtime.stop(replica, 0);
    t.same(await runtime.list(), []);
    t.match(await swarm('service', 'ls', '--filter', 'name=test-foreign'), /test-foreign/);
  });

  t.test('what a replica wrote before it ended is in the reason, and of a place that no node has too', async (t) => {
    const script = `console.log('begun');
      require('http').createServer(() => { throw new Error('no votes today') }).listen(process.env.PORT)`;
    const runtime = createSwarmRuntime({ ...options, command: ['node', '-e', script] });
    await runtime.begin();
    t.teardown(() => runtime.close());
    const told = new Promise<RuntimeNews>((resolve) => runtime.watch(resolve));
    const replica = { seat: 1, incarnation: Date.now(), hostname: 'contract-crash' };
    t.teardown(() => runtime.stop(replica, 0));
    const address = await runtime.start(replica, limit());
    let isTold = false;
    void told.then(() => {
      isTold = true;
    });
    // It is asked until it listens, and ends at the first request.
    while (!isTold && !(await answers(address))) await realClock.sleep(50);
    t.match(await told, { type: 'exited', reason: 'exit code 1: Error: no votes today' });
    const nowhere = createSwarmRuntime({ ...options, constraints: ['node.labels.none==such'] });
    const start = nowhere.start({ ...replica, seat: 2, hostname: 'contract-nowhere' }, limit());
    await t.rejects(start, { code: 'start-failed', message: /the Swarm does not place it: no suitable node/ });
    t.notOk((await servicesOf(FLEET)).includes('contract-nowhere'));
  });
}
