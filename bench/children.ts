// The bench's child processes end with it: when it is done with them, and when it ends itself by an error or a signal.

import type { ChildProcess } from 'node:child_process';

const KILL_AFTER_MS = 2000;
const SIGNALLED_EXIT_CODE = 130;

const children = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of children) child.kill('SIGTERM');
});

/** Gives the child back. */
export function endWithUs<T extends ChildProcess>(child: T): T {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** For the programs' entries: a signal ends the process in the way in which its children end too. */
export function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(SIGNALLED_EXIT_CODE));
}

/** Ends a child and waits for its end. */
export async function endOf(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killed = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  await ended;
  clearTimeout(killed);
}
