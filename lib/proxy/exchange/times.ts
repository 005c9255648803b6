/** When the phases of an exchange began, in ms of `performance.now()`; 0 for those that it has not come to. */
export class Times {
  readonly startedMs = performance.now();
  /** A replica had a place for its last attempt. */
  placedMs = 0;
  /** The same, if all of the request was here by then: only the replica is waited for. 0 too when that is lost. */
  askedMs = 0;
  /** The connection for that attempt was made; 0 also if it had been made before. */
  connectedMs = 0;
  /** The head of its final reply came. */
  answeredMs = 0;
  endedMs = 0;
}

/** A replica has a place for the next attempt. @param isWhole all of the request is here. */
export function place(times: Times, isWhole: boolean): void {
  times.placedMs = performance.now();
  times.askedMs = isWhole ? times.placedMs : 0;
  times.connectedMs = 0;
}
