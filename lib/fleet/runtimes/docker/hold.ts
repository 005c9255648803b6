// Lets only one balancer hold a fleet, because two would each stop what the other starts. The engine cannot keep a lock
// that ends with a killed process, so a balancer that starts asks: it leaves a note with the name of the fleet. A
// balancer that holds the fleet sees it at the engine, from whatever network, and removes it; the one that asked then
// refuses to start. If the note is still there after a while, nobody holds the fleet. Of two that ask at once, the one
// with the older note may go on.

import { randomUUID } from 'node:crypto';
import type { Clock } from '../../../core/ports.ts';
import { BalancerError } from '../../../errors.ts';
import { LABEL } from './container.ts';
import type { Notes } from './notes.ts';

export interface Question {
  readonly notes: Notes;
  readonly fleet: string;
  readonly clock: Clock;
  /** Longer than a balancer that runs takes to answer. */
  readonly longestAnswerMs: number;
}

const LOOK_EVERY_MS = 100;
// An older question was left by a process that was killed while it asked.
const STALE_SECONDS = 5;
const ASKS = 'ask who holds the fleet';

/**
 * Resolves if no other balancer holds the fleet, with the time in seconds since which the questions of others have to
 * be answered (those asked before this balancer listened). Throws `runtime-unavailable` if one holds it.
 */
export async function checkNotHeld({ notes, fleet, clock, longestAnswerMs }: Question): Promise<number> {
  const labels = { [LABEL.fleet]: fleet, [LABEL.asks]: fleet };
  const id = await notes.leave(ASKS, `ringmaster-asks-${randomUUID()}`, labels);
  try {
    let askedSeconds = await checkIsFirst(notes, fleet, id);
    for (let waitedMs = 0; waitedMs < longestAnswerMs; waitedMs += LOOK_EVERY_MS) {
      await clock.sleep(LOOK_EVERY_MS);
      askedSeconds = await checkIsFirst(notes, fleet, id);
    }
    return askedSeconds;
  } finally {
    await notes.remove(id);
  }
}

/** Answers the question of another balancer: this one holds the fleet. Never rejects. */
export async function answerThatHeld(notes: Notes, id: string): Promise<void> {
  await notes.remove(id).catch(() => undefined);
}

// Resolves with the time of the question. Of several questions the first counts, and its balancer answers the others.
async function checkIsFirst(notes: Notes, fleet: string, id: string): Promise<number> {
  const questions = await notes.find(ASKS, `${LABEL.asks}=${fleet}`);
  const mine = questions.find((one) => one.id === id);
  // The note is gone, which is the answer of a balancer that holds the fleet.
  if (mine === undefined) throw held(fleet);
  for (const one of questions.filter((other) => other !== mine)) {
    const atOnce = one.createdSeconds === mine.createdSeconds;
    const isEarlier = one.createdSeconds < mine.createdSeconds || (atOnce && one.id < id);
    if (isEarlier && one.createdSeconds >= mine.createdSeconds - STALE_SECONDS) throw held(fleet);
    await answerThatHeld(notes, one.id);
  }
  return mine.createdSeconds;
}

function held(fleet: string): BalancerError {
  return new BalancerError(
    'runtime-unavailable',
    `the fleet ${fleet} is held by another balancer that runs: end that one, or choose another with --fleet`,
  );
}
