// Listens, and says what went wrong in one line that names the option to change.

import { BalancerError, describe } from '../errors.ts';

export type ListenFlag = '--port' | '--admin-port' | '--admin-socket' | 'LISTEN_FDS' | 'handover';

/** Runs `listen`. If it rejects, rejects with `listen-failed` and one line for the person who gave this flag. */
export async function listening<T>(flag: ListenFlag, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (error) {
    throw new BalancerError('listen-failed', messageOf(flag, error), { cause: error });
  }
}

const AIRPLAY_PORTS = [5000, 7000];

/** Who it may be that has a port, if a system is known to take it for itself. */
export function whoMayHave(port: number | undefined, platform: NodeJS.Platform = process.platform): string {
  return platform === 'darwin' && port !== undefined && AIRPLAY_PORTS.includes(port)
    ? '. On macOS it may be AirPlay: System Settings, General, AirDrop & Handoff, AirPlay Receiver'
    : '';
}

function messageOf(flag: ListenFlag, error: unknown): string {
  const { code, port, address } = error as { code?: string; port?: number; address?: string };
  if (flag === '--admin-socket') {
    if (code === 'EADDRINUSE') return `${address} is in use: end what uses it, or choose another with --admin-socket`;
    return `--admin-socket cannot be made: ${describe(error)}`;
  }
  if (flag === 'handover') return `the sockets that were handed over cannot be listened on: ${describe(error)}`;
  if (flag === 'LISTEN_FDS') return `the sockets of LISTEN_FDS cannot be listened on: ${describe(error)}`;
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} on ${address} is in use: end what uses it, or choose another with ${flag}${whoMayHave(port)}`;
    case 'EACCES':
      return `port ${port} on ${address} may not be used by this user: choose one from 1024 up with ${flag}`;
    default:
      return `${flag} and ${flag.replace('port', 'host')} cannot be listened on: ${describe(error)}`;
  }
}
