// All metrics that there are: to add one is to add a row to one of the tables. Seats are the only labels that grow with
// the fleet, so that the series have a bound; hostnames come and go, and are in one info metric.

import { AUTOSCALE_FAMILIES } from './autoscale-families.ts';
import type { Family } from './exposition.ts';
import type { MetricsFacts } from './facts.ts';
import { FLEET_FAMILIES } from './fleet-families.ts';
import { PROCESS_FAMILIES } from './process-families.ts';
import { TRAFFIC_FAMILIES } from './traffic-families.ts';

export const FAMILIES: readonly Family<MetricsFacts>[] = [
  ...TRAFFIC_FAMILIES,
  ...FLEET_FAMILIES,
  ...AUTOSCALE_FAMILIES,
  ...PROCESS_FAMILIES,
];
