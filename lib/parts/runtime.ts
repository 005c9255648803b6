// Makes the runtime that the options name: where replicas run, and how they are started.

import { randomInt } from 'node:crypto';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HandedReplicas, Make, MakeOf, ReplicaRuntime } from '../core/ports.ts';
import { realClock } from '../fleet/clock.ts';
import { createNoRuntime } from '../fleet/runtimes/none.ts';
import { createProcessRuntime } from '../fleet/runtimes/processes.ts';
import { createReplicaOutput } from '../fleet/runtimes/replica-output.ts';
import type { Log } from '../log.ts';
import type { Options } from '../settings/options.ts';
import { OWN_VARIABLES, otherPlace } from '../settings/rules.ts';
import { startsReplicas } from '../settings/tables/fleet/balancers.ts';
import { containerSettings, swarmSettings } from './limits.ts';

// By name, since this file is in lib/ of a checkout, and in dist/lib/ of the package that is installed.
const ROOT = fileURLToPath(new URL('.', import.meta.resolve('ringmaster/package.json')));
// Scripts end as this one does: in .ts as it is written, in .js as the package has it.
const REPLICA_SCRIPT = fileURLToPath(new URL(`../../replica/main${extname(import.meta.url)}`, import.meta.url));

// Where the sample service listens, as it is told.
const SAMPLE_LISTEN = { port: '127.0.0.1:{port}', socket: 'unix:{socket}' } as const;

export interface RuntimeMeans {
  readonly makeOf: MakeOf;
  readonly log: Log;
  readonly showsLastLines: boolean;
  /** Another process of ours has the fleet, and hands it over. */
  readonly takesOver: boolean;
  /** Its replicas, if they are processes of this machine. */
  readonly handed: HandedReplicas | undefined;
}

export async function createRuntime(options: Options, means: RuntimeMeans): Promise<ReplicaRuntime> {
  const { log, showsLastLines, handed, makeOf } = means;
  if (!startsReplicas(options)) return createNoRuntime();
  if (options.runtime !== 'process') return createContainers(options, means);
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
    handed,
    makeOf,
  });
}

async function createContainers(options: Options, means: RuntimeMeans): Promise<ReplicaRuntime> {
  const { log, takesOver, makeOf } = means;
  const name = options.dockerImage;
  const image = name === '' ? ({ type: 'checkout', root: ROOT } as const) : ({ type: 'named', name } as const);
  const common = { image, takesOver, makeOf, clock: realClock, log };
  // Loaded only if needed, since they take as long to load as all the rest.
  if (options.runtime === 'swarm') {
    const { createSwarmRuntime } = await import('../fleet/runtimes/swarm/swarm.ts');
    return createSwarmRuntime({ ...swarmSettings(options, process.env), ...common });
  }
  const { createDockerRuntime } = await import('../fleet/runtimes/docker/docker.ts');
  return createDockerRuntime({ ...containerSettings(options, process.env), ...common });
}

/**
 * Why a roll cannot make replicas so; `undefined` if it can. The rules that hold for the options hold for it too.
 */
export function whyUnfit({ command, environment, image }: Make, options: Options): string | undefined {
  const { runtime, dockerImage, replicaListen } = options;
  if (image !== undefined && runtime === 'process') return 'image is for containers: --runtime docker or swarm';
  if (command !== undefined && runtime !== 'process' && dockerImage === '' && image === undefined) {
    return 'command is for child processes, or for an image of yours';
  }
  const other = otherPlace(runtime === 'process' ? replicaListen : 'port');
  if (command?.some((word) => word.includes(other)) === true) {
    return `command has ${other}, but replicas listen on a ${runtime === 'process' ? replicaListen : 'port'}`;
  }
  const own = OWN_VARIABLES.find((name) => environment?.[name] !== undefined);
  return own === undefined ? undefined : `env cannot set ${own}: each replica gets its own`;
}
