// The metrics of autoscaling. There are none while it is off, but for the load that it goes by.

import type { AutoscaleCounts, AutoscaleView } from '../../core/autoscale-view.ts';
import { type Family, labels, type Sample } from './exposition.ts';
import type { MetricsFacts } from './facts.ts';

export const AUTOSCALE_FAMILIES: readonly Family<MetricsFacts>[] = [
  {
    name: 'ringmaster_autoscale_replicas_wanted',
    help: 'Replicas that the load of the moment wants, within the bounds.',
    type: 'gauge',
    by: [],
    samples: ofView(({ now }) => (now === null ? [] : [['', now.wanted]])),
  },
  {
    name: 'ringmaster_autoscale_replicas_bound',
    help: 'The fewest and the most replicas that there may be.',
    type: 'gauge',
    by: ['bound'],
    samples: ofView(({ rules: { least, most } }) => [
      [labels({ bound: 'least' }), least],
      [labels({ bound: 'most' }), most],
    ]),
  },
  {
    name: 'ringmaster_autoscale_in_flight',
    help: 'Requests in flight on average over the stable and the panic window, with those that wait or were turned away.',
    type: 'gauge',
    by: ['window'],
    samples: ofView(({ now }) =>
      now === null
        ? []
        : [
            [labels({ window: 'stable' }), now.stable],
            [labels({ window: 'panic' }), now.panic],
          ],
    ),
  },
  {
    name: 'ringmaster_autoscale_target',
    help: 'Requests in flight that a replica should have.',
    type: 'gauge',
    by: [],
    samples: ofView(({ rules }) => [['', rules.target]]),
  },
  {
    name: 'ringmaster_autoscale_frozen',
    help: '1 while a step is due that must wait: a replica is not well, leaving or starting, or something else is under way.',
    type: 'gauge',
    by: [],
    samples: ofView(({ now }) => [['', now?.reason === 'frozen' ? 1 : 0]]),
  },
  {
    name: 'ringmaster_autoscale_steps',
    help: 'Changes of the number of replicas that were made: up, down; and failed.',
    type: 'counter',
    by: ['direction'],
    samples: ofCounts(({ up, down, failed }) =>
      Object.entries({ up, down, failed }).map(([direction, count]) => [labels({ direction }), count]),
    ),
  },
  {
    name: 'ringmaster_cold_starts',
    help: 'Times that requests came while there was no replica, and one was started for them.',
    type: 'counter',
    by: [],
    samples: ofCounts(({ coldStarts }) => [['', coldStarts]]),
  },
  {
    name: 'ringmaster_cold_starts_seconds',
    help: 'How long the first replica took in those, added up.',
    type: 'counter',
    by: [],
    samples: ofCounts(({ coldStartMs }) => [['', coldStartMs / 1000]]),
  },
];

function ofView(samples: (view: AutoscaleView) => Sample[]): (facts: MetricsFacts) => Iterable<Sample> {
  return ({ autoscale }) => (autoscale === undefined ? [] : samples(autoscale));
}

function ofCounts(samples: (counts: AutoscaleCounts) => Sample[]): (facts: MetricsFacts) => Iterable<Sample> {
  return ofView(({ counts }) => samples(counts));
}
