// Makes the runtime that the options name: processes of this machine, containers, or none.

import { randomInt } from 'node:crypto';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ReplicaRuntime } from '../core/ports.ts';
import { realClock } from '../fleet/clock.ts';
import { createNoRuntime } from '../fleet/runtimes/none.ts';
import { createProcessRuntime } from '../fleet/runtimes/processes.ts';
import { createReplicaOutput } from '../fleet/runtimes/replica-output.ts';
import { containerSettings } from '../limits.ts';
import type { Log } from '../log.ts';
import type { Options } from '../settings/options.ts';

// By name, since this file is in lib/ of a checkout, and in dist/lib/ of the package that is installed.
const ROOT = fileURLToPath(new URL('.', import.meta.resolve('ringmaster/package.json')));
// The script ends as this one does: in .ts as it is written, in .js as the package has it.
const REPLICA_SCRIPT = fileURLToPath(new URL(`../../replica/main${extname(import.meta.url)}`, import.meta.url));

// Where the sample service listens, as it is told.
const SAMPLE_LISTEN = { port: '127.0.0.1:{port}', socket: 'unix:{socket}' } as const;

/** What a runtime is given beside the options. */
export interface RuntimeMeans {
  readonly log: Log;
  readonly showsLastLines: boolean;
}

export async function createRuntime(options: Options, { log, showsLastLines }: RuntimeMeans): Promise<ReplicaRuntime> {
  if (options.upstream.size > 0) return createNoRuntime();
  if (options.runtime === 'docker') return createDocker(options, log);
  const { command, replicaEnv, replicaCwd, replicaListen, replicaOutput } = options;
  const [program, ...args] = command;
  const isSample = program === undefined;
  // What the sample service says on standard output is for whoever runs it by hand.
  const places = { stdout: isSample ? undefined : process.stdout, stderr: process.stderr };
  const onDropped = (count: number) => log.warn('replica-output-dropped', { count });
  const output = createReplicaOutput(replicaOutput, places, onDropped);
  return createProcessRuntime({
    command: isSample ? [process.execPath, '--disable-sigusr1', REPLICA_SCRIPT] : [program, ...args],
    // Replicas do not get the balancer's own settings, secrets included.
    environment: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RINGMASTER_'))),
    variables: isSample ? new Map([['LISTEN', SAMPLE_LISTEN[replicaListen]], ...replicaEnv]) : replicaEnv,
    cwd: replicaCwd,
    listens: replicaListen,
    output: showsLastLines ? output : { ...output, showLast: () => undefined },
    clock: realClock,
    random: (limit) => randomInt(limit),
  });
}

async function createDocker(options: Options, log: Log): Promise<ReplicaRuntime> {
  // Loaded only if needed, since it takes as long to load as all the rest.
  const { createDockerRuntime } = await import('../fleet/runtimes/docker/docker.ts');
  const image = options.dockerImage;
  return createDockerRuntime({
    ...containerSettings(options, process.env),
    image: image === '' ? { type: 'checkout', root: ROOT } : { type: 'named', name: image },
    clock: realClock,
    log,
  });
}
