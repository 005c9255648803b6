// Tells on standard error how far a long log is, where a person looks.

import type { Reading } from './lines.ts';

const EVERY_LINES = 16_384;
const EVERY_MS = 1000;

export interface Progress {
  (lines: number): void;
  /** Takes the line away. */
  end(): void;
}

/** @param stream where it is told; nothing is, unless it is a terminal. */
export function progress(reading: Reading, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return Object.assign(() => undefined, { end: () => undefined });
  let shownMs = performance.now();
  let isShown = false;
  const show = (lines: number) => {
    if (lines % EVERY_LINES !== 0 || performance.now() - shownMs < EVERY_MS) return;
    shownMs = performance.now();
    isShown = true;
    const part = reading.allBytes === 0 ? '' : `, ${Math.floor((100 * reading.readBytes) / reading.allBytes)} %`;
    stream.write(`\r\u001b[K${lines.toLocaleString('en')} lines${part}`);
  };
  const end = () => {
    if (isShown) stream.write('\r\u001b[K');
  };
  return Object.assign(show, { end });
}
