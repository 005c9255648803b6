// The process that is to take the place of this one, as this one has it: started by the same command line, with its
// sockets and pipes inherited, and told by message what to do.

import { type ChildProcess, spawn } from 'node:child_process';
import { BalancerError, describe } from '../errors.ts';
import type { FromBefore, FromNext } from './messages.ts';

/** Tells a process that it is to take the place of another one. Not for anybody else to set. */
export const UPGRADE_VARIABLE = 'RINGMASTER_UPGRADE';

/** The first descriptor that is inherited: 0, 1 and 2 are those of this process, and 3 is the channel. */
export const FIRST_DESCRIPTOR = 4;

export interface NextProcess {
  readonly pid: number;
  /** Resolves when it has said so. Rejects with `upgrade-failed` if it ends first, or says that it cannot go on. */
  says(type: FromNext['type']): Promise<void>;
  tell(message: FromBefore): void;
  /** It is not wanted. Resolves when it has ended. */
  kill(): Promise<void>;
  /** Whatever happens to it from now on is its own affair. */
  detach(): void;
}

/** @param environment with which this process was started. */
export function startNext(descriptors: readonly number[], environment: NodeJS.ProcessEnv): NextProcess {
  const child = spawnIt(descriptors, environment);
  const heard = new Set<FromNext['type']>();
  const waiting = new Map<FromNext['type'], { resolve: () => void; reject: (error: Error) => void }>();
  let fault: BalancerError | undefined;
  const fail = (reason: string) => {
    fault ??= new BalancerError('upgrade-failed', `the next process ${reason}: this one goes on`);
    for (const { reject } of waiting.values()) reject(fault);
    waiting.clear();
  };
  child.on('message', (message: FromNext) => {
    if (message.type === 'failed') {
      fail(`cannot take over: ${message.reason}`);
      return;
    }
    heard.add(message.type);
    waiting.get(message.type)?.resolve();
    waiting.delete(message.type);
  });
  child.on('error', (error) => fail(`could not be started: ${describe(error)}`));
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', (code, signal) => {
      fail(`ended with ${signal ?? `exit code ${code}`}`);
      resolve();
    });
  });
  return {
    pid: child.pid ?? 0,
    says: (type) =>
      new Promise((resolve, reject) => {
        if (heard.has(type)) resolve();
        else if (fault !== undefined) reject(fault);
        else waiting.set(type, { resolve, reject });
      }),
    tell: (message) => {
      // If it has gone meanwhile, its end says so.
      if (child.connected) child.send(message, () => undefined);
    },
    kill: () => {
      child.kill('SIGKILL');
      return ended;
    },
    detach: () => {
      child.unref();
      if (child.connected) child.disconnect();
    },
  };
}

function spawnIt(descriptors: readonly number[], environment: NodeJS.ProcessEnv): ChildProcess {
  const [, ...words] = process.argv;
  try {
    return spawn(process.execPath, [...process.execArgv, ...words], {
      // Ctrl-C in the terminal of this process is not meant for the next one, and neither is that terminal's end.
      detached: true,
      env: { ...environment, [UPGRADE_VARIABLE]: '1' },
      stdio: ['inherit', 'inherit', 'inherit', 'ipc', ...descriptors],
    });
  } catch (error) {
    throw new BalancerError('upgrade-failed', `the next process could not be started: ${describe(error)}`);
  }
}
