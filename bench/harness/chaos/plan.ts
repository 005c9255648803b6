// Which faults befall a run, when, and for how long: by draws from a seed, so that a run can be played again. Whom a
// fault befalls is drawn as a part of those that are there then. Pure.

import { random } from '../random.ts';

/** How replicas err, as replica.js knows it. */
export const ERRORS = [
  'slow',
  'hang',
  'refuse',
  'reset-before',
  'reset-interim',
  'reset-head',
  'reset-body',
  'end-body',
  'garbage',
] as const;
export type ErrorOfReplica = (typeof ERRORS)[number];

export const CROWDS = ['half-closed', 'burst', 'slow-reader'] as const;
export type Crowd = (typeof CROWDS)[number];

/** What befalls the fleet, the process and what it depends on. */
const OTHERS = [
  'kill',
  'stop',
  'outage',
  'storm',
  'reload',
  'upgrade',
  'guardian-killed',
  'disk-full',
  'log-stalled',
  'descriptors-short',
  'clock-moved',
] as const;

export type FaultKind =
  | ErrorOfReplica
  | Crowd
  | (typeof OTHERS)[number]
  | 'worker-killed'
  | 'engine-killed'
  | 'events-cut';

export interface PlannedFault {
  readonly kind: FaultKind;
  /** Since the load began. */
  readonly atMs: number;
  readonly lastsMs: number;
  /** Whom it befalls, from 0 to below 1: a place in the list of those that are well then. */
  readonly draw: number;
}

export interface PlanTerms {
  readonly seed: number;
  readonly lengthMs: number;
  /** Mean time from one fault to the next. */
  readonly everyMs: number;
  readonly workers: number;
  readonly runtime: 'process' | 'docker';
  /** Kinds that are left out. */
  readonly without?: readonly FaultKind[];
}

/** How long a fault lasts, from and to; those that are over at once are not listed. */
const LASTS_MS: Partial<Record<FaultKind, readonly [from: number, to: number]>> = {
  slow: [200, 1500],
  hang: [100, 400],
  refuse: [200, 2500],
  stop: [200, 3500],
  'reset-before': [100, 500],
  'reset-interim': [100, 500],
  'reset-head': [100, 400],
  'reset-body': [100, 400],
  'end-body': [100, 400],
  garbage: [100, 400],
  'disk-full': [300, 1500],
  'log-stalled': [500, 2500],
  'descriptors-short': [300, 1200],
  'clock-moved': [300, 2000],
  outage: [2000, 3500],
  'events-cut': [500, 4000],
  'engine-killed': [500, 3000],
};

// What cannot be with containers: their processes are not ours to signal, and the balancer's own are the same.
const NOT_WITH_DOCKER: readonly FaultKind[] = ['guardian-killed'];

type KindTerms = Pick<PlanTerms, 'workers' | 'runtime' | 'without'>;

/** All kinds that a run with these terms may have. */
export function kindsOf({ workers, runtime, without = [] }: KindTerms): FaultKind[] {
  const all: FaultKind[] = [...ERRORS, ...CROWDS, ...OTHERS];
  if (workers > 1) all.push('worker-killed');
  const kinds = all.filter((kind) => !without.includes(kind));
  if (runtime === 'process') return kinds;
  return [...kinds.filter((kind) => !NOT_WITH_DOCKER.includes(kind)), 'engine-killed', 'events-cut'];
}

/** Each kind comes once before any comes again, in an order that is drawn. */
export function planFaults(terms: PlanTerms): PlannedFault[] {
  const drawn = random(terms.seed);
  const plan: PlannedFault[] = [];
  let hand: FaultKind[] = [];
  for (let atMs = terms.everyMs / 2; atMs < terms.lengthMs; atMs += terms.everyMs * (0.5 + drawn.next())) {
    if (hand.length === 0) hand = kindsOf(terms);
    const [kind] = hand.splice(drawn.below(hand.length), 1) as [FaultKind];
    const [from, to] = LASTS_MS[kind] ?? [0, 0];
    plan.push({
      kind,
      atMs: Math.round(atMs),
      lastsMs: Math.round(from + (to - from) * drawn.next()),
      draw: drawn.next(),
    });
  }
  return plan;
}
