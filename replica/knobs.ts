// Ways to make a replica misbehave on purpose, for tests only, by environment variable only:
//
//   REPLICA_ONLY            the knobs below apply to the replica of this SERVER_ID; to all if not given
//   REPLICA_START_DELAY_MS  wait before it listens
//   REPLICA_DELAY_MS        wait before each answer but the heartbeat's
//   REPLICA_HANG_AFTER      answer so many requests, then none, heartbeats included
//   REPLICA_CRASH_AFTER     answer so many requests but heartbeats, then end in the middle of the next

import type { RequestListener } from 'node:http';

export interface Knobs {
  readonly startDelayMs: number;
  readonly delayMs: number;
  readonly hangAfter: number;
  readonly crashAfter: number;
}

export function readKnobs(environment: NodeJS.ProcessEnv, id: string): Knobs {
  const only = environment.REPLICA_ONLY;
  const read = (name: string, otherwise: number) =>
    only === undefined || only === id ? Number(environment[name] ?? otherwise) : otherwise;
  return {
    startDelayMs: read('REPLICA_START_DELAY_MS', 0),
    delayMs: read('REPLICA_DELAY_MS', 0),
    hangAfter: read('REPLICA_HANG_AFTER', Number.POSITIVE_INFINITY),
    crashAfter: read('REPLICA_CRASH_AFTER', Number.POSITIVE_INFINITY),
  };
}

/** Gives the service itself if no knob is turned, so that none costs anything. */
export function withKnobs(knobs: Knobs, service: RequestListener): RequestListener {
  if (knobs.delayMs === 0 && Math.min(knobs.hangAfter, knobs.crashAfter) === Number.POSITIVE_INFINITY) return service;
  let requests = 0;
  let heartbeats = 0;
  return (request, response) => {
    if (request.url === '/heartbeat') heartbeats += 1;
    else requests += 1;
    if (requests > knobs.crashAfter) process.exit(1);
    if (requests + heartbeats > knobs.hangAfter) return;
    if (request.url === '/heartbeat' || knobs.delayMs === 0) service(request, response);
    else setTimeout(() => service(request, response), knobs.delayMs);
  };
}
