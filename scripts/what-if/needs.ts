// How many replicas it takes for a target, by hash and factor.

import type { Prediction, SituationPrediction } from '../../lib/core/what-if/prediction.ts';
import type { Target } from './arguments.ts';

export interface Need {
  readonly hash: string;
  readonly factor: number | null;
  /** The fewest replicas from which on every number that was tried meets the target; `null` if none does. */
  readonly replicas: number | null;
  readonly tried: number;
}

export function needsOf({ situations }: Prediction, target: Target): Need[] {
  const sized = situations.filter(({ name }) => name === 'sized');
  const groups = Map.groupBy(sized, ({ hash, factor }) => `${hash} ${factor}`);
  return [...groups.values()].map((group) => {
    const ordered = group.toSorted((a, b) => a.replicas - b.replicas);
    const last = ordered.findLastIndex((one) => !meets(one, target));
    const { hash, factor } = ordered[0] as SituationPrediction;
    return { hash, factor, replicas: ordered[last + 1]?.replicas ?? null, tried: ordered.length };
  });
}

function meets({ peakPerSecond, hits }: SituationPrediction, { perSecond, hitRatio }: Target): boolean {
  const [first] = hits;
  return (
    (perSecond === undefined || peakPerSecond <= perSecond) &&
    (hitRatio === undefined || (first !== undefined && first.ratio >= hitRatio))
  );
}
