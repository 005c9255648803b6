// Was this process started by nohup, to outlive its terminal? nohup ignores SIGHUP, but Node sets every ignored signal back to its
// default before any of our code runs, so that it cannot be asked for any more. What is left to see is standard input: of a
// terminal, nohup makes /dev/null, for writing only, as nobody else does.

import { readFileSync, readlinkSync } from 'node:fs';

const ACCESS_MODE = 0o3;
const WRITE_ONLY = 0o1;

/** On Linux; false elsewhere, and where standard input was no terminal. */
export function startedByNohup(): boolean {
  try {
    if (readlinkSync('/proc/self/fd/0') !== '/dev/null') return false;
    const [, flags = '0'] = /^flags:\s*(\d+)$/m.exec(readFileSync('/proc/self/fdinfo/0', 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & ACCESS_MODE) === WRITE_ONLY;
  } catch {
    return false;
  }
}
