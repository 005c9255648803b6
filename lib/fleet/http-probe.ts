// Asks a replica how it is: GET of the heartbeat path, or a mere connect, on a connection of its own, so that a probe says whether the
// replica still accepts one. Nothing is read of the body.

import http from 'node:http';
import net from 'node:net';
import type { FailureKind } from '../core/fleet/health.ts';
import type { Address, Probe } from '../core/ports.ts';

/** The replica answered, and not as one that is well. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
  readonly status: number;

  constructor(status: number, path: string) {
    super(`answers ${status} to ${path}`);
    this.status = status;
  }
}

/**
 * @param statuses ranges of those that are health, ends included.
 * @param host the Host field; the replica's address if empty.
 */
export function httpProbe(
  path: string,
  statuses: readonly (readonly [number, number])[] = [[200, 299]],
  host = '',
): Probe {
  return (address, signal) =>
    new Promise((resolve, reject) => {
      const request = http.request({
        ...(address.type === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port }),
        path,
        agent: false,
        signal,
        headers: { 'user-agent': 'ringmaster-heartbeat', ...(host === '' ? {} : { host }) },
      });
      request.once('error', reject);
      request.once('response', (response) => {
        const status = response.statusCode ?? 0;
        response.on('error', () => undefined);
        request.destroy();
        if (statuses.some(([least, most]) => status >= least && status <= most)) resolve();
        else reject(new WrongAnswer(status, path));
      });
      request.end();
    });
}

/** For `--heartbeat-path tcp`: who accepts a connection is well. */
export const connectProbe: Probe = (address: Address, signal) =>
  new Promise((resolve, reject) => {
    const socket = address.type === 'unix' ? net.connect(address.path) : net.connect(address.port, address.host);
    const give = () => socket.destroy(new Error('given up'));
    signal.addEventListener('abort', give, { once: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('close', () => signal.removeEventListener('abort', give));
  });

/** For `--heartbeat-path off`: every replica counts as healthy, and only exits convict. */
export const noProbe: Probe = () => Promise.resolve();

// Of those from 300 up that are not failures of the server: it is busy, or was asked too slowly.
const PASSING = [408, 425, 429];

/** What a failed probe says beside its words. */
export function kindOf(error: unknown): FailureKind {
  if (error instanceof WrongAnswer) {
    return error.status >= 300 && error.status < 500 && !PASSING.includes(error.status) ? 'unfit' : 'other';
  }
  const errors = error instanceof AggregateError ? error.errors : [error];
  const isRefusal = (one: unknown) => ['ECONNREFUSED', 'ENOENT'].includes((one as NodeJS.ErrnoException)?.code ?? '');
  return errors.some(isRefusal) ? 'refused' : 'other';
}
