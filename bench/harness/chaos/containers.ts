// The replicas of a chaos run in containers: the directory of the run is a volume of theirs, so that they write their
// history there and find their orders. The program reaches the Docker Engine by a door that can be shut.

import { execFile, spawn } from 'node:child_process';
import { copyFile, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type EngineDoor, engineDoor } from '../engine-door.ts';

export interface Containers {
  /** What the program is started with. */
  readonly args: readonly string[];
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly door: EngineDoor;
  /** `docker kill`, `pause` or `unpause` of a replica. */
  strike(deed: 'kill' | 'pause' | 'unpause', who: string): Promise<void>;
  /** How many there are, also of those that have ended. */
  count(): Promise<number>;
  /** Kills the engine itself. Resolves with how to start it again, which resolves when it answers. */
  killEngine(): Promise<() => Promise<void>>;
  /** Removes all that is left. */
  close(): Promise<void>;
}

const IMAGE = 'node:26-slim';
const WITHIN = '/chaos';
const REPLICA = fileURLToPath(new URL('replica.js', import.meta.url));
const PID_FILE = '/var/run/docker.pid';
const LOOK_MS = 200;
const START_ATTEMPTS = 5;

const run = promisify(execFile);

async function docker(...args: string[]): Promise<string> {
  const environment = { ...process.env };
  // The run's own commands bypass its door.
  delete environment.DOCKER_HOST;
  return (await run('docker', args, { env: environment })).stdout.trim();
}

/** Throws if no Docker Engine with the image of Node answers. */
export async function containersIn(directory: string): Promise<Containers> {
  await docker('image', 'inspect', IMAGE).catch((error: Error) => {
    throw new Error(`--runtime docker takes a Docker Engine with the image ${IMAGE}: ${error.message}`);
  });
  // The name of the directory differs from run to run.
  const name = directory.slice(directory.lastIndexOf('/') + 1);
  const label = `label=ringmaster.fleet=${name}`;
  await copyFile(REPLICA, join(directory, 'replica.mjs'));
  const bound = ['--opt', 'type=none', '--opt', 'o=bind', '--opt', `device=${directory}`];
  await docker('volume', 'create', '--driver', 'local', ...bound, name);
  const door = await engineDoor();
  return {
    door,
    args: [
      ...['--runtime', 'docker', '--docker-image', IMAGE, '--fleet', name, '--docker-port', '5000'],
      ...['--docker-volume', `${name}:${WITHIN}`, '--replica-env', `CHAOS_DIR=${WITHIN}`],
    ],
    command: ['node', `${WITHIN}/replica.mjs`],
    environment: { DOCKER_HOST: door.host },
    strike: async (deed, who) => void (await docker(deed, who)),
    count: async () => (await docker('ps', '--all', '--quiet', '--filter', label)).split('\n').filter(Boolean).length,
    killEngine,
    close: async () => {
      await door.shut().catch(() => undefined);
      const left = (await docker('ps', '--all', '--quiet', '--filter', label)).split('\n').filter(Boolean);
      if (left.length > 0) await docker('rm', '--force', ...left);
      await docker('volume', 'rm', '--force', name);
    },
  };
}

async function killEngine(): Promise<() => Promise<void>> {
  const pid = Number(await readFile(PID_FILE, 'utf8'));
  const [file = '', ...args] = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').filter(Boolean);
  process.kill(pid, 'SIGKILL');
  return async () => {
    // It gives up when it finds what the killed one has left behind in disorder, and does better the next time.
    for (let times = 1; times <= START_ATTEMPTS; times++) {
      await rm(PID_FILE, { force: true });
      const engine = spawn(file, args, { detached: true, stdio: 'ignore' });
      engine.unref();
      while (engine.exitCode === null && engine.signalCode === null) {
        if ((await docker('version').catch(() => '')) !== '') return;
        await sleep(LOOK_MS);
      }
    }
    throw new Error(`the Docker Engine did not start in ${START_ATTEMPTS} attempts`);
  };
}
