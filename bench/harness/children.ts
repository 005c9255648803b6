// Child processes that end with the process that started them, even if that is killed for taking too long.

import { type ChildProcess, spawn } from 'node:child_process';

const KILL_AFTER_MS = 2000;
const SIGNALLED_EXIT_CODE = 130;

/** Has the child killed when this process is gone. Returns the child. */
export function endWithUs<T extends ChildProcess>(child: T): T {
  if (child.pid === undefined) return child;
  // The watcher reads from us until we are gone. It has a session of its own, so that Ctrl-C does not end it.
  const watcher = spawn('sh', ['-c', 'read -r _; kill "$0"', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  child.once('exit', () => watcher.kill());
  return child;
}

/**
 * For the entry points of programs: a signal ends the process in an orderly way, with an exit code that tells of it.
 */
export function endOnSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(SIGNALLED_EXIT_CODE));
}

/** Ends a child and waits until it has ended. */
export async function endOf(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const killed = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  await ended;
  clearTimeout(killed);
}
