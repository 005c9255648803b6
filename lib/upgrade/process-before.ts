// The process whose place this one takes, as this one has it.

import { BalancerError } from '../errors.ts';
import { type Handover, readHandover, renumbered } from './handover.ts';
import type { Ending, FromBefore, FromNext } from './messages.ts';
import { FIRST_DESCRIPTOR, UPGRADE_VARIABLE } from './next-process.ts';

export interface ProcessBefore {
  /** Asks for what is handed over, with the descriptors as this process has them. Throws `upgrade-refused`. */
  handover(): Promise<Handover>;
  /** Resolves when everything is this process's own. Rejects if the one before has ended or has given it up. */
  commit(): Promise<void>;
  tell(type: 'taken' | 'announced'): void;
  /** This process cannot take over. */
  fail(reason: string): Promise<void>;
  /** How that process ends, as far as it has said; `undefined` before it said anything. */
  readonly ending: Ending | undefined;
  /** Resolves when it has ended, in whatever way. */
  readonly ended: Promise<void>;
}

/**
 * The process that has started this one to take its place; `undefined` if this is an ordinary start. Takes what tells
 * so out of `environment`, since nobody else is to know.
 */
export function takeProcessBefore(environment: NodeJS.ProcessEnv): ProcessBefore | undefined {
  const isUpgrade = environment[UPGRADE_VARIABLE] !== undefined;
  delete environment[UPGRADE_VARIABLE];
  if (!isUpgrade || process.send === undefined) return undefined;
  return processBefore();
}

function processBefore(): ProcessBefore {
  let ending: Ending | undefined;
  let hear: (message: FromBefore) => void = () => undefined;
  let lose: (error: Error) => void = () => undefined;
  const ended = new Promise<void>((resolve) => process.once('disconnect', resolve));
  process.on('message', (message: FromBefore) => {
    if (message.type === 'left') ending = message.ending;
    else hear(message);
  });
  void ended.then(() => {
    if (ending?.phase === 'ending') ending = { ...ending, lost: ending.left, left: 0, phase: 'killed' };
    lose(new BalancerError('upgrade-failed', 'the process before has ended, or has given it up'));
  });
  const say = (message: FromNext) =>
    new Promise<void>((resolve) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
      else resolve();
    });
  const answer = <T extends FromBefore['type']>(question: FromNext, type: T) =>
    new Promise<Extract<FromBefore, { type: T }>>((resolve, reject) => {
      lose = reject;
      hear = (message) => {
        if (message.type === type) resolve(message as Extract<FromBefore, { type: T }>);
      };
      if (!process.connected) reject(new BalancerError('upgrade-failed', 'the process before has ended'));
      void say(question);
    });
  return {
    handover: async () => {
      const { text } = await answer({ type: 'loaded' }, 'handover');
      return renumbered(readHandover(text), FIRST_DESCRIPTOR);
    },
    commit: async () => {
      await answer({ type: 'ready' }, 'commit');
      lose = () => undefined;
    },
    tell: (type) => void say({ type }),
    fail: (reason) => say({ type: 'failed', reason }),
    get ending() {
      return ending;
    },
    ended,
  };
}
