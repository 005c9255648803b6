// The metrics of requests and connections.

import { KEY_CLASSES } from '../../core/request/key-source.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import {
  BOUNDS_S,
  FRONT_LAYOUT,
  KEY_WAYS,
  METHODS,
  NO_SEAT,
  OUTCOMES,
  REASONS,
  RETRY_REASONS,
  SEAT_LAYOUT,
  SPILL_REASONS,
  TIME_CELLS,
} from '../../core/traffic/measures.ts';
import type { SeatLoad, ThreadReading } from '../../core/traffic/plane-reading.ts';
import { type Family, type HistogramSample, joined, type Labels, labels, type Sample } from './exposition.ts';
import type { MetricsFacts } from './facts.ts';

/** The label of a seat, or of none. */
export function seatLabel(seat: SeatId): Labels {
  return labels({ seat: seat === NO_SEAT ? 'none' : seat });
}

export const TRAFFIC_FAMILIES: readonly Family<MetricsFacts>[] = [
  {
    name: 'ringmaster_requests',
    help: 'Requests that have ended, by seat, method (read: safe ones) and status class, or failed or abandoned without a whole reply.',
    type: 'counter',
    by: ['seat', 'method', 'status'],
    samples: atSeats(
      SEAT_LAYOUT.requests,
      METHODS.flatMap((method) => OUTCOMES.map((status) => labels({ method, status }))),
    ),
  },
  {
    name: 'ringmaster_requests_lost',
    help: 'Requests that have ended without a whole reply of a replica, by the reason.',
    type: 'counter',
    by: ['seat', 'reason'],
    samples: nonZero(atSeats(SEAT_LAYOUT.losses, named('reason', REASONS))),
  },
  {
    name: 'ringmaster_requests_refused',
    help: 'Requests and connections that were refused before a replica was looked for.',
    type: 'counter',
    by: ['reason'],
    samples: ({ reading }) => sumOfThreads(reading.threads, FRONT_LAYOUT.refusals, named('reason', REASONS)),
  },
  {
    name: 'ringmaster_request_duration_seconds',
    help: 'From the head of a request to the end of its reply; event streams and tunnels included.',
    type: 'histogram',
    by: ['seat'],
    bounds: BOUNDS_S,
    samples: timesAtSeats(SEAT_LAYOUT.duration),
  },
  {
    name: 'ringmaster_request_first_byte_seconds',
    help: 'From the head of a request to the head of its reply.',
    type: 'histogram',
    by: ['seat'],
    bounds: BOUNDS_S,
    samples: timesAtSeats(SEAT_LAYOUT.firstByte),
  },
  {
    name: 'ringmaster_request_queue_seconds',
    help: 'From the head of a request to its place at the last replica tried, or to its end if it got none.',
    type: 'histogram',
    by: ['seat'],
    bounds: BOUNDS_S,
    samples: timesAtSeats(SEAT_LAYOUT.queue),
  },
  {
    name: 'ringmaster_retries',
    help: 'Attempts that were lost at a seat and made again, by the reason (stale: a kept connection had closed).',
    type: 'counter',
    by: ['seat', 'reason'],
    samples: nonZero(atSeats(SEAT_LAYOUT.retries, named('reason', RETRY_REASONS))),
  },
  {
    name: 'ringmaster_spills',
    help: 'Requests that belong to a seat and went to another, by the reason.',
    type: 'counter',
    by: ['seat', 'reason'],
    samples: nonZero(atSeats(SEAT_LAYOUT.spills, named('reason', SPILL_REASONS))),
  },
  {
    name: 'ringmaster_keyed_requests',
    help: 'Places that requests with a key got, by the class of the key: at the seat that comes first for it (owner), or at another.',
    type: 'counter',
    by: ['key', 'at'],
    samples: nonZero(({ reading }) =>
      sumOfThreads(
        reading.threads,
        FRONT_LAYOUT.keyed,
        KEY_CLASSES.flatMap((key) => KEY_WAYS.map((at) => labels({ key, at }))),
      ),
    ),
  },
  {
    name: 'ringmaster_hottest_key_ratio',
    help: 'The part of the requests with a key that the most frequent key had, in the last one to two minutes of traffic.',
    type: 'gauge',
    by: [],
    samples: ({ hottestPart }) => (hottestPart === undefined ? [] : [['', hottestPart]]),
  },
  loadGauge('ringmaster_requests_in_flight', 'Requests that have a place at a replica now.', 'inFlight'),
  loadGauge('ringmaster_tunnels', 'Upgraded connections now, and requests that ask for one.', 'tunnels'),
  loadGauge('ringmaster_event_streams', 'Event streams now.', 'streams'),
  {
    name: 'ringmaster_replica_connections',
    help: 'Connections to replicas now, with a request on them (busy) or kept for the next (idle).',
    type: 'gauge',
    by: ['seat', 'state'],
    samples: ({ reading }) =>
      Array.from(reading.loads).flatMap(([seat, { busyConnections, idleConnections }]): Sample[] => [
        [joined(seatLabel(seat), 'state="busy"'), busyConnections],
        [joined(seatLabel(seat), 'state="idle"'), idleConnections],
      ]),
  },
  {
    name: 'ringmaster_replica_connections_opened',
    help: 'Connections that were opened to replicas.',
    type: 'counter',
    by: ['seat'],
    samples: atSeats(SEAT_LAYOUT.connections, ['']),
  },
  {
    name: 'ringmaster_replica_connections_reused',
    help: 'Attempts that were made on a connection that was kept.',
    type: 'counter',
    by: ['seat'],
    samples: atSeats(SEAT_LAYOUT.connections + 1, ['']),
  },
  {
    name: 'ringmaster_requests_waiting',
    help: 'Requests that wait now: for a place at a replica (place), or for one to be back (return).',
    type: 'gauge',
    by: ['line'],
    samples: ({ reading: { threads } }) => [
      ['line="place"', sum(threads.map((one) => one.waiting))],
      ['line="return"', sum(threads.map((one) => one.waitingForReturn))],
    ],
  },
  {
    name: 'ringmaster_client_connections',
    help: 'Connections of clients now.',
    type: 'gauge',
    by: [],
    samples: ({ reading }) => [['', sum(reading.threads.map((one) => one.clients))]],
  },
  {
    name: 'ringmaster_client_connections_opened',
    help: 'Connections that clients have opened.',
    type: 'counter',
    by: [],
    samples: ({ reading }) => sumOfThreads(reading.threads, FRONT_LAYOUT.connections, ['']),
  },
  {
    name: 'ringmaster_client_connections_reused',
    help: 'Requests of clients that came on a connection that had carried another.',
    type: 'counter',
    by: [],
    samples: ({ reading }) => sumOfThreads(reading.threads, FRONT_LAYOUT.connections + 1, ['']),
  },
  {
    name: 'ringmaster_requests_held_seconds',
    help: 'Time that requests were at the replicas or waited for one: its rate is how many there are on average.',
    type: 'counter',
    by: [],
    samples: ({ reading }) => sumOfThreads(reading.threads, FRONT_LAYOUT.held, ['']),
  },
  {
    name: 'ringmaster_event_loop_lag_seconds',
    help: 'How late timers of a thread fire, looked at ten times a second while it has clients.',
    type: 'histogram',
    by: ['thread'],
    bounds: BOUNDS_S,
    samples: ({ reading }) =>
      reading.threads.map(({ thread, cells }) => [labels({ thread }), timesIn(cells, FRONT_LAYOUT.lag)]),
  },
  {
    name: 'ringmaster_event_loop_active_seconds',
    help: 'How long the event loop of a thread has worked: its rate is the part of a core that it is busy.',
    type: 'counter',
    by: ['thread'],
    samples: ({ reading }) => reading.threads.map(({ thread, activeSeconds }) => [labels({ thread }), activeSeconds]),
  },
];

type Samples = (facts: MetricsFacts) => Iterable<Sample>;

function loadGauge(name: string, help: string, of: keyof SeatLoad): Family<MetricsFacts> {
  const samples: Samples = ({ reading }) => Array.from(reading.loads, ([seat, load]) => [seatLabel(seat), load[of]]);
  return { name, help, type: 'gauge', by: ['seat'], samples };
}

// One counter for each of `kinds` at each seat, in cells that follow each other.
function atSeats(from: number, kinds: readonly Labels[]): Samples {
  return function* ({ reading }) {
    for (const [seat, cells] of reading.seats) {
      const own = seatLabel(seat);
      for (let kind = 0; kind < kinds.length; kind++) {
        yield [joined(own, kinds[kind] as Labels), cells[from + kind] as number];
      }
    }
  };
}

// For counters of which most are never needed: they begin when they count.
function nonZero(samples: Samples): Samples {
  return function* (facts) {
    for (const sample of samples(facts)) if (sample[1] > 0) yield sample;
  };
}

function timesAtSeats(from: number): (facts: MetricsFacts) => Iterable<HistogramSample> {
  return function* ({ reading }) {
    for (const [seat, cells] of reading.seats) yield [seatLabel(seat), timesIn(cells, from)];
  };
}

function timesIn(cells: Float64Array, from: number): HistogramSample[1] {
  const last = from + TIME_CELLS - 1;
  return { buckets: cells.subarray(from, last), sum: cells[last] as number };
}

function sumOfThreads(threads: readonly ThreadReading[], from: number, kinds: readonly Labels[]): Sample[] {
  return kinds.map((kind, index) => [kind, sum(threads.map(({ cells }) => cells[from + index] as number))]);
}

function named(name: string, values: readonly string[]): Labels[] {
  return values.map((value) => labels({ [name]: value }));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
