// Ends the replicas when this process is gone, even after `kill -9`: a shell reads from a pipe the process groups to
// kill, and kills them when the pipe closes. A replica could watch its parent by itself, but not while it hangs, and a
// hung replica must not be left behind either.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { Clock } from '../../core/ports.ts';

const LEAST_PAUSE_MS = 1000;

const SCRIPT = `
trap '' HUP INT TERM
pids=
while read -r verb pid; do
  others=
  for other in $pids; do [ "$other" = "$pid" ] || others="$others $other"; done
  pids=$others
  [ "$verb" = guard ] && pids="$pids $pid"
done
for pid in $pids; do kill -9 "-$pid" 2>/dev/null; done
rm -rf "$1"
`;

export interface Guardian {
  /** @param pid leads a process group, all of which is guarded. */
  guard(pid: number): void;
  /** The group is gone, so its number may soon belong to another. */
  forget(pid: number): void;
  /** Ends the guardian, since nothing is left to guard. */
  release(): void;
}

/** @param directory is removed when this process ends. */
export function startGuardian(directory: string, clock: Clock): Guardian {
  const guarded = new Set<number>();
  let stdin: Writable | undefined;
  let isReleased = false;
  let mayBeginMs = Number.NEGATIVE_INFINITY;

  const begin = () => {
    const shell = spawnShell(directory);
    // Without a shell, replicas are still stopped in the ordinary way.
    shell?.on('error', () => undefined);
    // If no file descriptor is free, the process has no pipe.
    if (!shell?.stdin) {
      void beginAgain();
      return;
    }
    shell.stdin.on('error', () => undefined);
    shell.on('exit', () => void beginAgain());
    shell.unref();
    stdin = shell.stdin;
    for (const pid of guarded) stdin.write(`guard ${pid}\n`);
  };
  // Somebody killed the guardian, so another one is started, but not in quick succession.
  const beginAgain = async () => {
    const waitMs = Math.max(0, mayBeginMs - clock.now());
    mayBeginMs = clock.now() + waitMs + LEAST_PAUSE_MS;
    if (waitMs > 0) await clock.sleep(waitMs);
    if (!isReleased) begin();
  };

  begin();
  return {
    guard: (pid) => {
      guarded.add(pid);
      stdin?.write(`guard ${pid}\n`);
    },
    forget: (pid) => {
      guarded.delete(pid);
      stdin?.write(`forget ${pid}\n`);
    },
    release: () => {
      isReleased = true;
      stdin?.end();
    },
  };
}

// For some errors, such as no memory, Node throws, and for others it emits an event.
function spawnShell(directory: string): ChildProcess | undefined {
  try {
    return spawn('/bin/sh', ['-c', SCRIPT, 'ringmaster-guardian', directory], {
      detached: true,
      // The attack: any process that may read this environment would find the admin token in it
      // (test/end-to-end/life.test.ts).
      env: { PATH: process.env.PATH },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
  } catch {
    return undefined;
  }
}
