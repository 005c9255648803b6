/** When the phases of an exchange began, in ms of `performance.now()`; 0 for those that it has not come to. */
export class Times {
  readonly startedMs = performance.now();
  /** A replica had a place for its last attempt. */
  placedMs = 0;
  /** The connection for that attempt was made; 0 also if it had been made before. */
  connectedMs = 0;
  /** The head of its final reply came. */
  answeredMs = 0;
  endedMs = 0;
}
