// Ends the replicas when this process is gone, even after `kill -9`: a shell reads from a pipe the process groups to
// kill, and kills them when the pipe closes. A replica could watch its parent by itself, but not while it hangs, and a
// hung replica must not be left behind either. Nor could the kernel end replicas with their parent (PR_SET_PDEATHSIG),
// since in an upgrade they outlive it. So there are two shells: one of them may be killed together with this process.

import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import type { Clock } from '../../core/ports.ts';

const LEAST_PAUSE_MS = 1000;

const SCRIPT = `
trap '' HUP INT TERM
pids=
IFS= read -r directory
while read -r verb pid; do
  [ "$verb" = leave ] && exit
  others=
  for other in $pids; do [ "$other" = "$pid" ] || others="$others $other"; done
  pids=$others
  [ "$verb" = guard ] && pids="$pids $pid"
done
for pid in $pids; do kill -9 "-$pid" 2>/dev/null; done
rm -rf "$directory"
`;

// Whoever ends everything that has our name in its command line (\`pkill -f\`) leaves the second one.
const NAMES = ['ringmaster-guardian', 'guardian'] as const;

export interface Guardian {
  /** @param pid leads a process group, all of which is guarded. */
  guard(pid: number): void;
  /** The group is gone, so its number may soon belong to another. */
  forget(pid: number): void;
  /** Ends the guardian, since nothing is left to guard. */
  release(): void;
  /** Ends the guardian, and leaves what it guards to that of another process. */
  leave(): void;
}

/** Two of them. @param directory is removed when this process ends. */
export function startGuardians(directory: string, clock: Clock): Guardian {
  const both = NAMES.map((name) => startGuardian(directory, clock, name));
  return {
    guard: (pid) => both.forEach((one) => void one.guard(pid)),
    forget: (pid) => both.forEach((one) => void one.forget(pid)),
    release: () => both.forEach((one) => void one.release()),
    leave: () => both.forEach((one) => void one.leave()),
  };
}

/** One alone. @param name that the system shows for it. */
export function startGuardian(directory: string, clock: Clock, name: string = NAMES[0]): Guardian {
  const guarded = new Set<number>();
  let stdin: Writable | undefined;
  let isReleased = false;
  let mayBeginMs = Number.NEGATIVE_INFINITY;

  const begin = () => {
    const shell = spawnShell(name);
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
    stdin.write(`${directory}\n`);
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
      if (!isReleased) stdin?.write(`forget ${pid}\n`);
    },
    release: () => {
      isReleased = true;
      stdin?.end();
    },
    leave: () => {
      isReleased = true;
      stdin?.end('leave\n');
    },
  };
}

// For some errors, such as no memory, Node throws, and for others it emits an event.
function spawnShell(name: string): ChildProcess | undefined {
  try {
    return spawn('/bin/sh', ['-c', SCRIPT, name], {
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
