// Detects whether nohup started this process, to outlive its terminal. nohup ignores SIGHUP, but Node resets every
// ignored signal to its default before any of our code runs, so the signal cannot tell. Standard input can: where it
// was a terminal, nohup replaces it by /dev/null opened for writing only, as nobody else does.

import { readFileSync, readlinkSync } from 'node:fs';

const ACCESS_MODE = 0o3;
const WRITE_ONLY = 0o1;

/** Works on Linux. False elsewhere, and if standard input was no terminal. */
export function startedByNohup(): boolean {
  try {
    if (readlinkSync('/proc/self/fd/0') !== '/dev/null') return false;
    const [, flags = '0'] = /^flags:\s*(\d+)$/m.exec(readFileSync('/proc/self/fdinfo/0', 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & ACCESS_MODE) === WRITE_ONLY;
  } catch {
    return false;
  }
}
