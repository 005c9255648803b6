// Ends the replicas when this process cannot do it any more, however it went, a `kill -9` included: a shell that reads the
// process numbers to end from a pipe and acts when the pipe closes. A replica that watched its parent by itself would not
// notice while it hangs, and a hung replica must not stay behind either.

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
[ -n "$pids" ] && kill -9 $pids 2>/dev/null
rm -rf "$1"
`;

export interface Guardian {
  guard(pid: number): void;
  /** That process has ended: its number may soon be another's. */
  forget(pid: number): void;
  /** Nothing is left to guard; the guardian ends. */
  release(): void;
}

/** @param directory removed when this process ends. */
export function startGuardian(directory: string, clock: Clock): Guardian {
  const guarded = new Set<number>();
  let stdin: Writable | undefined;
  let isReleased = false;
  let mayBeginMs = Number.NEGATIVE_INFINITY;

  const begin = () => {
    const shell: ChildProcess = spawn('/bin/sh', ['-c', SCRIPT, 'ringmaster-guardian', directory], {
      detached: true,
      // Whoever may look at a process's environment would find the admin token there (test/end-to-end/life.test.ts).
      env: { PATH: process.env.PATH },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // There is no shell: replicas are still stopped in the ordinary way.
    shell.on('error', () => undefined);
    // Without a descriptor left there is not even a pipe.
    if (!shell.stdin) {
      void beginAgain();
      return;
    }
    shell.stdin.on('error', () => undefined);
    shell.on('exit', () => void beginAgain());
    shell.unref();
    stdin = shell.stdin;
    for (const pid of guarded) stdin.write(`guard ${pid}\n`);
  };
  // Somebody ended the guardian: the next one, but not one after the other without a pause.
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
