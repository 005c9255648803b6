// Shows on a terminal how the start goes, since an image that is built or a slow service takes its time.

import { realClock } from '../fleet/clock.ts';
import type { Replica } from '../library/roster.ts';
import { paintFor } from './paint.ts';
import { isDrawable, showProgress } from './progress.ts';

/** Shows it until the function that it returns is called. Does nothing if standard error is no terminal. */
export function showStarting(replicas: () => readonly Replica[]): () => void {
  const { stdout, stderr } = process;
  if (!isDrawable(stderr)) return () => undefined;
  const others = stdout.isTTY ? [stdout] : [];
  const beganMs = realClock.now();
  const text = () => startingText(replicas(), Math.floor((realClock.now() - beganMs) / 1000));
  return showProgress(stderr, others, text, realClock, paintFor(stderr));
}

function startingText(replicas: readonly Replica[], seconds: number): string {
  const serving = replicas.filter(({ state }) => state === 'serving').length;
  const what = replicas.length === 0 ? 'starting' : `starting, ${serving} of ${replicas.length} replicas serve`;
  return `${what} (${seconds} s, Ctrl-C gives up)`;
}
