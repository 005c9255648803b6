// Makes the data plane: in this thread, or over as many as the options say.

import { randomInt } from 'node:crypto';
import { extname } from 'node:path';
import type { DataPlane, TakeBatch } from '../core/plane-ports.ts';
import type { KeyFunction } from '../core/request/key-source.ts';
import type { TrafficSettings } from '../core/traffic-settings.ts';
import { realClock } from '../fleet/clock.ts';
import type { AdjustableLog } from '../log.ts';
import { Plane } from '../proxy/plane.ts';
import type { PlanePorts } from '../proxy/ports.ts';
import { ThreadedPlane } from '../proxy/workers/threads.ts';
import type { Current } from '../reload/taker.ts';
import type { Handover } from '../upgrade/handover.ts';
import { LONGEST_TAKE_MS } from './limits.ts';

// Scripts end as this one does: in .ts as it is written, in .js as the package has it.
const WORKER_SCRIPT = new URL(`../worker${extname(import.meta.url)}`, import.meta.url);

const IDS_LEFT = 50_000;

/** The balancer's own endpoints as the public port has them. */
export interface OwnEndpoints {
  /** The method of each. */
  readonly byPath: () => ReadonlyMap<string, string>;
  readonly ownAnswer: PlanePorts['ownAnswer'];
}

export interface PlaneMeans {
  /** If the options say that the key is a function: that one. */
  readonly keyFunction: KeyFunction | undefined;
  readonly log: AdjustableLog;
  /** Takes the lines of the access log. */
  readonly takeLines: TakeBatch;
  /** In force until a plan holds. */
  readonly traffic: TrafficSettings;
  readonly endpoints: OwnEndpoints;
  /** What the process before this one has given. */
  readonly handover: Handover | undefined;
}

/** In this thread, at no cost, where one worker is enough. Has no effect until it is told to do something. */
export function createPlane(current: Current, means: PlaneMeans): DataPlane {
  const { keyFunction, log, takeLines, traffic, endpoints, handover } = means;
  const { ownAnswer, byPath } = endpoints;
  const { seed, ...idsGiven } = handover?.plane.ids ?? { seed: randomInt(2 ** 32), dealt: 0, named: 0 };
  // The process before gives out some more, to its last connections.
  const skipped = { dealt: idsGiven.dealt + IDS_LEFT, named: idsGiven.named + IDS_LEFT };
  const given = handover === undefined ? {} : { idsGiven: skipped, learnedGiven: handover.plane.learned };
  const ports = { log, takeLines, clock: realClock, ownAnswer, seed, sampleSeed: randomInt(2 ** 32), ...given };
  const { workers } = current.options;
  // A reload has loaded the pair before it is in a plan.
  if (workers === 1) return new Plane({ ...ports, keyFunction, loadPair: async () => current.pair }, traffic);
  const threaded = { ...ports, script: WORKER_SCRIPT, own: byPath, takeTimeoutMs: LONGEST_TAKE_MS };
  return new ThreadedPlane(threaded, traffic, workers);
}
