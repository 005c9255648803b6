// How many replicas it takes for a target, by hash and factor.

export interface Target {
  /** No replica is to get more requests a second. */
  readonly perSecond: number | undefined;
  /** The part of the requests that are to be hits in the first cache size, 0 … 1. */
  readonly hitRatio: number | undefined;
}

export interface Need {
  readonly hash: string;
  readonly factor: number | null;
  /** The fewest replicas from which on every number that was tried meets the target; `null` if none does. */
  readonly replicas: number | null;
  /** Without those of which too little is known. */
  readonly tried: number;
}

/** What is known of a fleet of some size. */
interface Sized {
  readonly name: string;
  readonly hash: string;
  readonly factor: number | null;
  readonly replicas: number;
  /** `null` if it is not known how even they are. */
  readonly maxOverMean: number | null;
  readonly peakPerSecond: number;
  readonly hits: readonly { readonly ratio: number }[];
}

/** @param situations those with the name `sized` are looked at. */
export function needsOf(situations: readonly Sized[], target: Target): Need[] {
  const sized = situations.filter(({ name }) => name === 'sized');
  const groups = Map.groupBy(sized, ({ hash, factor }) => `${hash} ${factor}`);
  return [...groups.values()].map((group) => {
    const isKnown = ({ maxOverMean }: Sized) => target.perSecond === undefined || maxOverMean !== null;
    const ordered = group.filter(isKnown).toSorted((a, b) => a.replicas - b.replicas);
    const last = ordered.findLastIndex((one) => !meets(one, target));
    const { hash, factor } = group[0] as Sized;
    return { hash, factor, replicas: ordered[last + 1]?.replicas ?? null, tried: ordered.length };
  });
}

function meets({ peakPerSecond, hits }: Sized, { perSecond, hitRatio }: Target): boolean {
  const [first] = hits;
  return (
    (perSecond === undefined || peakPerSecond <= perSecond) &&
    (hitRatio === undefined || (first !== undefined && first.ratio >= hitRatio))
  );
}
