// Shows what replicas write: as it is, line by line behind the hostname, or not at all. Neither a replica nor the
// balancer ever waits for whoever reads it: what a stalled reader leaves unread has a bound, and the rest is dropped.

import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import type { ReplicaRef } from '../../core/ports.ts';
import { lineWriter } from '../../log-stream.ts';

/** `off` still shows the last lines of a replica that never came up, `silent` shows nothing. */
export type OutputMode = 'inherit' | 'prefix' | 'off' | 'silent';

/** Where the output of replicas is shown. */
export interface OutputPlaces {
  /** `undefined` if nobody is to read what replicas write there. */
  readonly stdout: Writable | undefined;
  readonly stderr: Writable;
}

export interface ReplicaOutput {
  /** For a stream of one replica; `undefined` if nobody is to read what is written there. */
  sink(replica: ReplicaRef, stream: keyof OutputPlaces): Sink | undefined;
  /** Shows the last lines of a replica that never came up, unless they were shown before, of it or of another. */
  showLast(replica: ReplicaRef, lines: readonly string[]): void;
}

/** Takes the output of one replica in pieces, as they come. */
export interface Sink {
  write(piece: string): void;
  end(): void;
}

const MOST_UNREAD_BYTES = 65_536;
const LONGEST_LINE = 16_384;
const COLOURS = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'] as const;

/** @param onDropped is called with the number of lines that a stalled reader has missed, when it reads again. */
export function createReplicaOutput(
  mode: OutputMode,
  places: OutputPlaces,
  onDropped: (count: number) => void,
): ReplicaOutput {
  const { stdout, stderr } = places;
  const writers = {
    stdout: stdout === undefined ? undefined : lineWriter(stdout, onDropped),
    stderr: lineWriter(stderr, onDropped),
  };
  let width = 0;
  let lastShown = '';
  const startOf = ({ hostname, seat }: ReplicaRef, place: Writable) => {
    // Names that come later may be longer. Those before them stay as they are.
    width = Math.max(width, hostname.length);
    const colour = COLOURS[(seat - 1) % COLOURS.length] as (typeof COLOURS)[number];
    return `${styleText(colour, `${hostname.padEnd(width)} |`, { stream: place })} `;
  };
  return {
    sink: (replica, stream) => {
      const [place, write] = [places[stream], writers[stream]];
      if (place === undefined || write === undefined) return undefined;
      if (mode === 'off' || mode === 'silent') return { write: () => undefined, end: () => undefined };
      if (mode === 'inherit') return { write: (piece) => passOn(piece, place), end: () => undefined };
      const start = startOf(replica, place);
      return byLine((line) => write(`${start}${line}\n`));
    },
    showLast: (replica, lines) => {
      const text = lines.join('\n');
      if (mode !== 'off' || text === lastShown) return;
      lastShown = text;
      const start = startOf(replica, stderr);
      for (const line of lines) writers.stderr(`${start}${line}\n`);
    },
  };
}

// The attack: a talkative replica fills the memory while nobody reads our output (test/fleet/replica-output.test.ts).
function passOn(piece: string, place: Writable): void {
  if (place.writableLength < MOST_UNREAD_BYTES) place.write(piece);
}

/** Calls `tell` with each line. One that grows too long is told in parts, so that it never fills the memory. */
export function byLine(tell: (line: string) => void): Sink {
  let rest = '';
  return {
    write: (piece) => {
      const lines = (rest + piece).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) tellInParts(line.endsWith('\r') ? line.slice(0, -1) : line, tell);
      while (rest.length > LONGEST_LINE) {
        tell(rest.slice(0, LONGEST_LINE));
        rest = rest.slice(LONGEST_LINE);
      }
    },
    end: () => {
      if (rest !== '') tell(rest);
      rest = '';
    },
  };
}

function tellInParts(line: string, tell: (line: string) => void): void {
  for (let at = 0; at === 0 || at < line.length; at += LONGEST_LINE) tell(line.slice(at, at + LONGEST_LINE));
}
