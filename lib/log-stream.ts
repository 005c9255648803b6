// Writes lines for a reader that may have stopped. What waits for it has a bound; lines beyond it are dropped and
// counted, and the reader gets the count when it reads again. Neither the process nor a request ever waits for whoever
// reads the log.

import type { Writable } from 'node:stream';

const MOST_WAITING_BYTES = 2 ** 20;

/**
 * Gives the function that writes a whole line.
 * @param onDropped called with the number of dropped lines when there is room again.
 */
export function lineWriter(stream: Writable, onDropped: (count: number) => void): (line: string) => void {
  let dropped = 0;
  // The attack: requests that are logged while nobody reads the log, until memory is full
  // (test/end-to-end/log.test.ts). A pipe takes 64 KiB, and Node keeps the rest.
  const tellCount = () => {
    const count = dropped;
    dropped = 0;
    onDropped(count);
  };
  return (line) => {
    // Once a line is dropped, all are until the reader has caught up, so that the count stands where they are missing.
    if (dropped === 0 && stream.writableLength + line.length <= MOST_WAITING_BYTES) stream.write(line);
    // A process has one standard error for all its balancers, and writers have no end: a listener of each would stay.
    else if (dropped++ === 0) stream.once('drain', tellCount);
  };
}
