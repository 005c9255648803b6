// What a series of probe results says about a replica. It is convicted after a number of failures in a row, suspected
// (the last choice, but not out) once a request failed there, and cleared of both by the next probe that succeeds.

/**
 * `refused`: nothing listens there. `unfit`: an answer that will not change by waiting, such as 404. `other`: an answer
 * that is late, breaks off, or says "not now".
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

/**
 * The health after a probe. A failed probe also makes the replica suspected, so that a hung one is avoided before its
 * conviction.
 */
export function afterProbe(health: Health, succeeded: boolean): Health {
  if (!succeeded) return { failuresInARow: health.failuresInARow + 1, suspected: true };
  return health.failuresInARow === 0 && !health.suspected ? health : HEALTHY;
}

/** The health after a request failed there. No failure is counted, because only probes and exits convict. */
export function afterSuspicion(health: Health): Health {
  return health.suspected ? health : { ...health, suspected: true };
}

export function isConvicted(health: Health, failuresToConvict: number): boolean {
  return health.failuresInARow >= failuresToConvict;
}
