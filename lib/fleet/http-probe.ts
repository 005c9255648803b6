// Probes a replica, by a GET of the heartbeat path or a mere connect. Each probe opens a connection of its own, so that
// it also shows whether the replica still accepts one. The body of the answer is not read.

import http from 'node:http';
import net from 'node:net';
import type { FailureKind } from '../core/fleet/health.ts';
import type { Address, Probe } from '../core/ports.ts';

/** The replica answered, but not with a status that counts as healthy. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
  readonly status: number;

  constructor(status: number, path: string) {
    super(`answers ${status} to ${path}`);
    this.status = status;
  }
}

/**
 * @param statuses are the ranges that count as healthy, ends included.
 * @param host is the Host field; if empty, the address of the replica is sent.
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

/** For `--heartbeat-path tcp`: a replica that accepts a connection is healthy. */
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

/** For `--heartbeat-path off`: every replica counts as healthy, and only an exit convicts it. */
export const noProbe: Probe = () => Promise.resolve();

// Statuses below 500 that may change by waiting: the server is busy, or was sent the request too slowly.
const PASSING = [408, 425, 429];

/** The kind of a failed probe. */
export function kindOf(error: unknown): FailureKind {
  if (error instanceof WrongAnswer) {
    return error.status >= 300 && error.status < 500 && !PASSING.includes(error.status) ? 'unfit' : 'other';
  }
  const errors = error instanceof AggregateError ? error.errors : [error];
  const isRefusal = (one: unknown) => ['ECONNREFUSED', 'ENOENT'].includes((one as NodeJS.ErrnoException)?.code ?? '');
  return errors.some(isRefusal) ? 'refused' : 'other';
}
