// The metrics of the fleet and its ring.

import { type Seat, type SeatState, stateOf } from '../../core/fleet/fleet-state.ts';
import { type Family, joined, labels, type Sample } from './exposition.ts';
import type { MetricsFacts } from './facts.ts';
import { LOSS_REASONS, PROBE_RESULTS } from './fleet-counts.ts';
import { seatLabel } from './traffic-families.ts';

const STATES: readonly SeatState[] = ['waiting', 'starting', 'serving', 'suspected', 'drained', 'down'];

export const FLEET_FAMILIES: readonly Family<MetricsFacts>[] = [
  {
    name: 'ringmaster_takes_requests',
    help: '1 if some replica takes requests.',
    type: 'gauge',
    by: [],
    samples: ({ takesRequests }) => [['', takesRequests ? 1 : 0]],
  },
  {
    name: 'ringmaster_paused',
    help: '1 while all requests are held back.',
    type: 'gauge',
    by: [],
    samples: ({ isPaused }) => [['', isPaused ? 1 : 0]],
  },
  {
    name: 'ringmaster_seats_wanted',
    help: 'Seats that should have a replica that serves.',
    type: 'gauge',
    by: [],
    samples: ({ state }) => [['', state.seats.length]],
  },
  {
    name: 'ringmaster_seats',
    help: 'Wanted seats by the state of their replica.',
    type: 'gauge',
    by: ['state'],
    samples: ({ state: { seats } }) => {
      const states = seats.map(stateOf);
      return STATES.map((state): Sample => [labels({ state }), states.filter((one) => one === state).length]);
    },
  },
  {
    name: 'ringmaster_replicas_leaving',
    help: 'Replicas that have no seat any more and are not gone yet.',
    type: 'gauge',
    by: ['drains'],
    samples: ({ state: { leaving } }) =>
      [true, false].map((drains) => [
        labels({ drains: String(drains) }),
        leaving.filter((one) => one.drains === drains).length,
      ]),
  },
  {
    name: 'ringmaster_seat_serving',
    help: '1 if the replica of that seat serves and is not suspected.',
    type: 'gauge',
    by: ['seat'],
    samples: eachSeat((seat) => (stateOf(seat) === 'serving' ? 1 : 0)),
  },
  {
    name: 'ringmaster_replica',
    help: 'The replica of each seat, to join hostnames to other metrics.',
    type: 'info',
    by: ['seat', 'hostname', 'incarnation'],
    samples: ({ state }) =>
      state.seats.map(({ replica: { seat, hostname, incarnation } }) => [labels({ seat, hostname, incarnation }), 1]),
  },
  {
    name: 'ringmaster_replica_starts',
    help: 'Starts of replicas that were begun.',
    type: 'counter',
    by: ['seat'],
    samples: ({ events }) => Array.from(events, ([seat, { starts }]) => [seatLabel(seat), starts]),
  },
  {
    name: 'ringmaster_replica_losses',
    help: 'Replicas that were lost or went down: not-started, not-ready (passed no heartbeat), heartbeats, ended.',
    type: 'counter',
    by: ['seat', 'reason'],
    samples: ({ events }) =>
      Array.from(events).flatMap(([seat, { losses }]) =>
        LOSS_REASONS.map((reason): Sample => [joined(seatLabel(seat), labels({ reason })), losses[reason]]),
      ),
  },
  {
    name: 'ringmaster_probes',
    help: 'Heartbeats by result: passed, refused (nothing listens), unfit (a wrong answer such as 404), failed, late.',
    type: 'counter',
    by: ['result'],
    samples: ({ probes }) => PROBE_RESULTS.map((result) => [labels({ result }), probes[result] ?? 0]),
  },
  {
    name: 'ringmaster_ring_share_ratio',
    help: 'The part of the ring that leads to each seat, 0 to 1.',
    type: 'gauge',
    by: ['seat'],
    samples: ({ shares }) => Array.from(shares.bySeat, ([seat, share]) => [seatLabel(seat), share]),
  },
  {
    name: 'ringmaster_seat_eased_share_ratio',
    help: 'The part of its requests that each seat gets: below 1 while it is eased, as slower than the others or failing more.',
    type: 'gauge',
    by: ['seat'],
    samples: ({ state, eased }) => {
      const shares = new Map(eased.map(({ replica, share }) => [replica.incarnation, share]));
      return state.seats.map(({ replica }) => [seatLabel(replica.seat), shares.get(replica.incarnation) ?? 1]);
    },
  },
  {
    name: 'ringmaster_ring_max_over_mean',
    help: 'The largest ratio of a share of the ring to what it should be by weight; 1 is even.',
    type: 'gauge',
    by: [],
    samples: ({ shares }) => [['', shares.maxOverMean]],
  },
  {
    name: 'ringmaster_plan_version',
    help: 'The version of the plan that requests go by; it grows with each change.',
    type: 'gauge',
    by: [],
    samples: ({ planVersion }) => [['', planVersion]],
  },
  {
    name: 'ringmaster_requests_suspected',
    help: 'Requests that were at a replica that ended, or seems to have, and have not been answered since.',
    type: 'gauge',
    by: [],
    samples: ({ poison }) => [['', poison.suspects]],
  },
  {
    name: 'ringmaster_requests_quarantined',
    help: 'Requests that are refused for a while, since two replicas ended that had them; ringmaster_requests_lost counts the refusals, with the reason poison.',
    type: 'gauge',
    by: [],
    samples: ({ poison }) => [['', poison.quarantined.length]],
  },
  {
    name: 'ringmaster_replicas_poisoned',
    help: 'Replicas that were lost to requests that were quarantined for it.',
    type: 'counter',
    by: [],
    samples: ({ poison }) => [['', poison.replicasLost]],
  },
  {
    name: 'ringmaster_peer_reachable',
    help: '1 if that balancer of --peers answers.',
    type: 'gauge',
    by: ['peer'],
    samples: ({ peers }) => peers.map(({ url, isReachable }) => [labels({ peer: url }), isReachable ? 1 : 0]),
  },
  {
    name: 'ringmaster_peer_differs',
    help: '1 if that balancer of --peers has another ring than this one, or other options of it, and has for 5 s.',
    type: 'gauge',
    by: ['peer'],
    samples: ({ peers }) => peers.map(({ url, differs }) => [labels({ peer: url }), differs.length > 0 ? 1 : 0]),
  },
  {
    name: 'ringmaster_access_log_lines_dropped',
    help: 'Lines of the access log that were lost because its disk or reader is too slow.',
    type: 'counter',
    by: [],
    samples: ({ droppedLines }) => [['', droppedLines]],
  },
];

function eachSeat(value: (seat: Seat) => number): (facts: MetricsFacts) => Iterable<Sample> {
  return ({ state }) => state.seats.map((seat) => [seatLabel(seat.replica.seat), value(seat)]);
}
