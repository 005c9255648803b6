// Listens, and says what went wrong in one line that names the option to change.

import { BalancerError, describe } from '../errors.ts';

export type ListenFlag = '--port' | '--admin-port' | '--admin-socket' | 'LISTEN_FDS';

/** Runs `listen`. If it rejects, rejects with `listen-failed` and one line for the person who gave this flag. */
export async function listening<T>(flag: ListenFlag, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    throw new BalancerError('listen-failed', messageOf(flag, error), { cause: error });
  }
}

function messageOf(flag: ListenFlag, error: unknown): string {
  const { code, port, address } = error as { code?: string; port?: number; address?: string };
  if (flag === '--admin-socket') {
    if (code === 'EADDRINUSE') return `${address} is in use: end what uses it, or choose another with --admin-socket`;
    return `--admin-socket cannot be made: ${describe(error)}`;
  }
  if (flag === 'LISTEN_FDS') return `the sockets of LISTEN_FDS cannot be listened on: ${describe(error)}`;
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${address} is in use: end what uses it, or choose another with ${flag}`;
    case 'EACCES':
      return `port ${port} on ${address} may not be used by this user: choose one from 1024 up with ${flag}`;
    default:
      return `${flag} and ${flag.replace('port', 'host')} cannot be listened on: ${describe(error)}`;
  }
}
