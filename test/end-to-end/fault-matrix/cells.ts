// The fault matrix as data: what becomes of a request when a fault befalls its connection to the replica, by the phase
// of the request in which it begins. stage.ts plays it, table.ts writes it down.

import { FAULTS, type Fault, PHASES, type Phase } from '../../../bench/harness/relay.ts';

export const METHODS = ['GET', 'POST'] as const;

export type Method = (typeof METHODS)[number];

/** What the client gets. */
export type Outcome =
  /** 200 from the replica with the fault. */
  | 'same'
  /** 200 from the next seat. */
  | 'next'
  /** 200 from the replica with the fault, which got another body than was sent. */
  | 'garbled'
  /** 400 from the replica with the fault. */
  | 'refused'
  | 502
  | 504
  /** A reply that breaks off, and is seen to. */
  | 'cut';

/** What the outcome has to wait for, beside the balancer's own work. */
export type Wait =
  | 'nothing'
  /** The bytes that the fault holds up, or the end that it does. */
  | 'fault'
  /** The system, which sends a SYN again after a second. */
  | 'second-syn'
  | 'connect-timeout'
  | 'reply-timeout'
  | 'body-timeout';

/** Whether the balancer suspects the replica afterwards; `perhaps` where two times of a second race. */
export type Suspicion = 'yes' | 'no' | 'perhaps';

export interface Cell {
  readonly fault: Fault;
  readonly phase: Phase;
  readonly method: Method;
  readonly outcome: Outcome;
  readonly wait: Wait;
  readonly suspected: Suspicion;
}

/** What a cell comes to, for GET and for POST if that is not the same. */
interface Entry {
  readonly get: Outcome;
  readonly post?: Outcome;
  readonly wait?: Wait;
  readonly suspected?: Suspicion;
}

const LATE: Entry = { get: 'same', wait: 'fault' };
const SYN_LOST: Entry = { get: 'same', wait: 'second-syn', suspected: 'perhaps' };
const LOST: Entry = { get: 'next', post: 502, suspected: 'yes' };
const LOST_LATE: Entry = { ...LOST, wait: 'fault' };
const SILENT: Entry = { get: 504, wait: 'reply-timeout', suspected: 'yes' };
const NO_REPLY: Entry = { get: 502 };

const ENTRIES: Readonly<Record<Fault, Readonly<Record<Phase, Entry>>>> = {
  latency: every(LATE, { connect: SYN_LOST }),
  jitter: every(LATE, { connect: SYN_LOST }),
  bandwidth: every(LATE, { connect: SYN_LOST }),
  reset: every(LOST, { connect: { get: 'next', suspected: 'yes' }, 'reply body': { get: 'cut', suspected: 'yes' } }),
  timeout: every(SILENT, {
    connect: { get: 'next', wait: 'connect-timeout', suspected: 'yes' },
    'reply body': { get: 'cut', wait: 'body-timeout' },
  }),
  'slow close': every(LOST_LATE, { 'reply body': { get: 'cut', wait: 'fault' } }),
  garbage: every(NO_REPLY, {
    'request head': { get: 'refused' },
    'request body': { get: 'garbled' },
    'reply body': { get: 'cut' },
  }),
  'limited data': every(LOST, { 'reply body': { get: 'cut' } }),
};

export const CELLS: readonly Cell[] = FAULTS.flatMap((fault) =>
  PHASES.flatMap((phase) => {
    const { get, post = get, wait = 'nothing', suspected = 'no' } = ENTRIES[fault][phase];
    return METHODS.map((method) => ({ fault, phase, method, outcome: method === 'GET' ? get : post, wait, suspected }));
  }),
);

function every(usual: Entry, special: Partial<Record<Phase, Entry>>): Readonly<Record<Phase, Entry>> {
  return Object.fromEntries(PHASES.map((phase) => [phase, special[phase] ?? usual])) as Record<Phase, Entry>;
}

// Long enough for everything else to be over before, on a machine that is busy with something else too. That of a
// connect is the longest, so that it shows if another one is counted in its place.
export const CONNECT_TIMEOUT_MS = 8000;
export const REPLY_TIMEOUT_MS = 7000;
export const BODY_TIMEOUT_MS = 7000;
