import { execFileSync } from 'node:child_process';
import t from 'tap';
import type { Address } from '../../lib/core/ports.ts';
import { BalancerError } from '../../lib/errors.ts';
import { httpProbe } from '../../lib/fleet/health/http-probe.ts';
import { createNoRuntime } from '../../lib/fleet/runtimes/none.ts';
import { createProcessRuntime, type ProcessRuntimeOptions } from '../../lib/fleet/runtimes/processes.ts';
import { FakeRuntime } from '../fixtures/fake-runtime.ts';
import { SCRIPT } from '../fixtures/replica.ts';
import { sampleService } from '../fixtures/sample-runtime.ts';
import { runtimeContract } from './runtime.ts';

const COMMAND = {
  ...sampleService,
  command: [
    process.execPath,
    '-e',
    '/* ringmaster_contract */ require("http").createServer((_, response) => response.end()).listen(process.env.PORT)',
  ],
  variables: new Map<string, string>(),
  listens: 'port',
} as const satisfies ProcessRuntimeOptions;
const answers = (address: Address) =>
  httpProbe('/heartbeat')(address, AbortSignal.timeout(2000)).then(
    () => true,
    () => false,
  );

t.test('the fake runtime', async (t) => {
  runtimeContract(t, async () => {
    const runtime = new FakeRuntime();
    return {
      runtime,
      kill: async (replica) => runtime.exit(replica),
      answers: async (address) =>
        (await runtime.list()).some((one) => JSON.stringify(one.address) === JSON.stringify(address)),
      breakNextStart: () => {
        runtime.beforeStart = () => Promise.reject(new BalancerError('start-failed', 'no room'));
      },
    };
  });
});

t.test('the runtime of a fleet whose members are all given starts nothing', async (t) => {
  const runtime = createNoRuntime();
  await runtime.begin();
  const replica = { seat: 1, incarnation: 1, hostname: 'x' };
  await t.rejects(runtime.start(replica, AbortSignal.timeout(1000)), { code: 'start-failed' });
  await runtime.stop(replica, 0);
  runtime.watch(() => t.fail('nothing can be told'))();
  t.same(await runtime.list(), []);
  await runtime.close();
});

for (const [name, options, pattern] of [
  ['the sample service on sockets', sampleService, SCRIPT],
  ['a command on ports', COMMAND, 'ringmaster_contract'],
] as const) {
  t.test(`the process runtime with ${name}`, async (t) => {
    runtimeContract(t, async () => {
      const environment: NodeJS.ProcessEnv = { ...process.env };
      return {
        runtime: createProcessRuntime({ ...options, environment }),
        kill: async (replica) => {
          for (const pid of execFileSync('pgrep', ['-P', String(process.pid), '-f', pattern])
            .toString()
            .trim()
            .split('\n')) {
            const environ = execFileSync('cat', [`/proc/${pid}/environ`]).toString();
            if (environ.includes(`SERVER_ID=${replica.hostname}\0`)) process.kill(Number(pid), 'SIGKILL');
          }
        },
        answers,
        breakNextStart: () => {
          environment.NODE_OPTIONS = '--no-such-option';
        },
      };
    });
  });
}
