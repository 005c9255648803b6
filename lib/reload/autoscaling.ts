// Takes over the options of autoscaling: it asks for them at each look, so only whether it may begin from no replica is
// for a new plan to say.

import type { Publisher } from '../fleet/publisher.ts';
import type { Options } from '../settings/options.ts';
import { startsFromZero } from '../settings/tables/fleet/autoscaling.ts';
import type { Taker } from './taker.ts';

export function autoscalingTaker(publisher: Publisher): Taker {
  const goBy = (options: Options) => publisher.change({ startsFromZero: startsFromZero(options) });
  return {
    flags: ['autoscale', 'autoscale-target', 'autoscale-window', 'autoscale-down-after', 'autoscale-down-rate'],
    begin: async (next, before) => ({ finish: () => goBy(next), undo: () => goBy(before) }),
  };
}
