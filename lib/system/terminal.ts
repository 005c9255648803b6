// Whether a terminal controls this process. When that is closed, the process gets a SIGHUP and has no terminal any
// more; by that it differs from a SIGHUP that somebody sends.

import { closeSync, constants, openSync } from 'node:fs';

export function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDONLY | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}
