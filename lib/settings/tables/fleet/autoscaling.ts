// Options of autoscaling: how many replicas there may be, and what they should have to do.

import { decimal, duration, integer } from '../../kinds.ts';
import { type Autoscale, autoscale } from '../../lists/kinds.ts';
import { group, option } from '../../option.ts';

/** The bounds of autoscaling; `undefined` if it is off. */
export function autoscaleBounds({
  autoscale,
}: {
  readonly autoscale: Autoscale;
}): Exclude<Autoscale, 'off'> | undefined {
  return autoscale === 'off' ? undefined : autoscale;
}

/** Where there is no replica, the first request has one started. */
export function startsFromZero(options: { readonly autoscale: Autoscale }): boolean {
  return autoscaleBounds(options)?.least === 0;
}

export const AUTOSCALING = group('Autoscaling', 'as many replicas as the load needs', {
  autoscale: option(
    autoscale,
    'off' as Autoscale,
    'live',
    'so few and so many replicas, as the load needs; from 0, the first one starts when a request comes',
  ),
  'autoscale-target': option(
    integer(1, 10_000),
    10,
    'live',
    'requests in flight that a replica should have on average, those included that wait',
  ),
  'autoscale-window': option(
    duration(6000, 3_600_000),
    60_000,
    'live',
    'time over which that is averaged; a tenth of it when the load is twice what the replicas should have',
  ),
  'autoscale-down-after': option(
    duration(0, 3_600_000),
    300_000,
    'live',
    'there are as many replicas as were needed at any moment of so long',
  ),
  'autoscale-down-rate': option(
    decimal(0.01, 1),
    0.5,
    'live',
    'part of the replicas that leaves within a minute at most; one always may',
  ),
});
