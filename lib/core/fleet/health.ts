// What a row of probe results says about a replica: convicted after k failures in a row, suspected (last choice, not out)
// once a request failed there, cleared of both by the first probe that succeeds.

/**
 * `refused`: nobody listens there. `unfit`: an answer that waiting does not change, such as 404. `other`: late, broken off, or an
 * answer that says "not now".
 */
export type FailureKind = 'refused' | 'unfit' | 'other';

/** Why a probe failed. */
export interface ProbeFailure {
  readonly reason: string;
  readonly kind: FailureKind;
}

export interface Health {
  readonly failuresInARow: number;
  readonly suspected: boolean;
}

export const HEALTHY: Health = { failuresInARow: 0, suspected: false };

/** The health after a probe. A failed probe adds suspicion too: a hung replica should not wait for its k-th failure. */
export function afterProbe(health: Health, succeeded: boolean): Health {
  if (!succeeded) return { failuresInARow: health.failuresInARow + 1, suspected: true };
  return health.failuresInARow === 0 && !health.suspected ? health : HEALTHY;
}

/** The health after a request failed there: only probes and exits convict, so no failure is counted. */
export function afterSuspicion(health: Health): Health {
  return health.suspected ? health : { ...health, suspected: true };
}

export function isConvicted(health: Health, failuresToConvict: number): boolean {
  return health.failuresInARow >= failuresToConvict;
}
