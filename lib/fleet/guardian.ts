// Ends the replicas when this process cannot do it any more, however it went, a `kill -9` included: a shell that reads the
// process numbers to end from a pipe and acts when the pipe closes. A replica that watched its parent by itself would not
// notice while it hangs, and a hung replica must not stay behind either.

import { spawn } from 'node:child_process';

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
export function startGuardian(directory: string): Guardian {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'ringmaster-guardian', directory], {
    detached: true,
    // Whoever may look at a process's environment would find the admin token there (test/end-to-end/life.test.ts).
    env: { PATH: process.env.PATH },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Somebody ended the guardian: replicas are still stopped in the ordinary way.
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  shell.unref();
  return {
    guard: (pid) => shell.stdin.write(`guard ${pid}\n`),
    forget: (pid) => shell.stdin.write(`forget ${pid}\n`),
    release: () => shell.stdin.end(),
  };
}
