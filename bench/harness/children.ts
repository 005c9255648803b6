// Child processes that do not outlive the process that began them, however it ends: also when it is killed for taking
// too long.

import { type ChildProcess, spawn } from 'node:child_process';

const KILL_AFTER_MS = 2000;
const SIGNALLED_EXIT_CODE = 130;

/** Gives the child back. */
export function endWithUs<T extends ChildProcess>(child: T): T {
  if (child.pid === undefined) return child;
  // It reads from us until we are gone. Ctrl-C is for us and not for it, so it has a session of its own.
  const watcher = spawn('sh', ['-c', 'read -r _; kill "$0"', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  watcher.unref();
  child.once('exit', () => watcher.kill());
  return child;
}

/** For the programs' entries: a signal ends the process in an orderly way, which tells its exit code. */
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
