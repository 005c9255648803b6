// Lets only one balancer hold a fleet, because two would each stop what the other starts. The engine cannot keep a lock
// that ends with a killed process, so a balancer that starts asks: it creates a container that is never started, with
// the name of the fleet in a label. A balancer that holds the fleet sees it in the engine's events, from whatever
// network, and removes it; the one that asked then refuses to start. If the container is still there after a while,
// nobody holds the fleet. Of two that ask at once, the one with the older container may go on.

import { randomUUID } from 'node:crypto';
import type Docker from 'dockerode';
import type { Clock } from '../../../core/ports.ts';
import { BalancerError } from '../../../errors.ts';
import { LABEL } from './container.ts';
import { attempt, unlessGone } from './errors.ts';

export interface Question {
  readonly docker: Docker;
  readonly fleet: string;
  /** The name of any image that exists. */
  readonly image: string;
  readonly clock: Clock;
}

// A balancer that runs answers within some hundredths of a second.
const LONGEST_ANSWER_MS = 1000;
const LOOK_EVERY_MS = 100;
// An older question was left by a process that was killed while it asked.
const STALE_SECONDS = 5;

/**
 * Resolves if no other balancer holds the fleet, with the time in seconds since which the questions of others have to
 * be answered (those asked before this balancer listened). Throws `runtime-unavailable` if one holds it.
 */
export async function checkNotHeld({ docker, fleet, image, clock }: Question): Promise<number> {
  const question = await attempt('ask who holds the fleet', () =>
    docker.createContainer({
      name: `ringmaster-asks-${randomUUID()}`,
      Image: image,
      Labels: { [LABEL.fleet]: fleet, [LABEL.asks]: fleet },
      HostConfig: { NetworkMode: 'none' },
    }),
  );
  try {
    let askedSeconds = await checkIsFirst(docker, fleet, question.id);
    for (let waitedMs = 0; waitedMs < LONGEST_ANSWER_MS; waitedMs += LOOK_EVERY_MS) {
      await clock.sleep(LOOK_EVERY_MS);
      askedSeconds = await checkIsFirst(docker, fleet, question.id);
    }
    return askedSeconds;
  } finally {
    await question.remove({ force: true, v: true }).catch(unlessGone);
  }
}

/** Answers the question of another balancer: this one holds the fleet. Never rejects. */
export async function answerThatHeld(docker: Docker, id: string): Promise<void> {
  await docker
    .getContainer(id)
    .remove({ force: true, v: true })
    .catch(() => undefined);
}

// Resolves with the time of the question. Of several questions the first counts, and its balancer answers the others.
async function checkIsFirst(docker: Docker, fleet: string, id: string): Promise<number> {
  const filters = { label: [`${LABEL.asks}=${fleet}`] };
  const questions = await attempt('ask who holds the fleet', () => docker.listContainers({ all: true, filters }));
  const mine = questions.find((one) => one.Id === id);
  // The container is gone, which is the answer of a balancer that holds the fleet.
  if (mine === undefined) throw held(fleet);
  for (const one of questions.filter((other) => other !== mine)) {
    const isEarlier = one.Created < mine.Created || (one.Created === mine.Created && one.Id < id);
    if (isEarlier && one.Created >= mine.Created - STALE_SECONDS) throw held(fleet);
    await answerThatHeld(docker, one.Id);
  }
  return mine.Created;
}

function held(fleet: string): BalancerError {
  return new BalancerError(
    'runtime-unavailable',
    `the fleet ${fleet} is held by another balancer that runs: end that one, or choose another with --fleet`,
  );
}
