// Probes a replica, by a GET of the heartbeat path or a mere connect. Each probe opens a connection of its own, so that
// it also shows whether the replica still accepts one. The body of the answer is not read.

import http from 'node:http';
import net from 'node:net';
import type { FailureKind } from '../../core/fleet/health.ts';
import type { Address, Clock, Probe } from '../../core/ports.ts';

/** The replica answered, but not with a status that counts as healthy. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
  readonly status: number;

  constructor(status: number, path: string) {
    super(`it answers ${status} to ${path}${isUnfit(status) ? `: ${advice(status, path)}` : ''}`);
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
      request.once('error', (error: NodeJS.ErrnoException) => {
        const isCut = error.code === 'ECONNRESET' && address.type === 'tcp';
        if (isCut) reject(closedOn(`without an answer to ${path}`));
        else if (error.code?.startsWith('HPE_'))
          reject(new Error(`its answer to ${path} is not HTTP/1: ${error.message}`));
        else reject(error);
      });
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

// What stands before a container or a host may accept connections although nothing listens behind.
function closedOn(how: string): Error {
  return new Error(`it closed the connection ${how}: does it listen on that port?`);
}

/**
 * For `--heartbeat-path tcp`: a replica that accepts a connection is healthy.
 * @param quiet how long it has to keep the connection, for where something accepts connections in its place. Of a
 *   server that takes one connection at a time, this takes as much time.
 */
export function connectProbe(quiet?: { readonly clock: Clock; readonly ms: number }): Probe {
  return async (address, signal) => {
    const socket = await connected(address, signal);
    try {
      if (quiet === undefined) return;
      const ended = new AbortController();
      for (const event of ['end', 'error', 'close']) socket.once(event, () => ended.abort());
      socket.resume();
      await quiet.clock.sleep(quiet.ms, ended.signal).catch(() => undefined);
      if (ended.signal.aborted) throw closedOn('at once');
    } finally {
      socket.destroy();
    }
  };
}

function connected(address: Address, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = address.type === 'unix' ? net.connect(address.path) : net.connect(address.port, address.host);
    const give = () => socket.destroy(new Error('given up'));
    signal.addEventListener('abort', give, { once: true });
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket));
    socket.once('close', () => signal.removeEventListener('abort', give));
  });
}

/** For `--heartbeat-path off`: every replica counts as healthy, and only an exit convicts it. */
export const noProbe: Probe = () => Promise.resolve();

// Statuses below 500 that may change by waiting: the server is busy, or was sent the request too slowly.
const PASSING = [408, 425, 429];
const NOT_IMPLEMENTED = 501;

// Whether a status that is none of health will not become one by waiting.
function isUnfit(status: number): boolean {
  return (status >= 300 && status < 500 && !PASSING.includes(status)) || status === NOT_IMPLEMENTED;
}

// What the person who chose the path may do about the status.
function advice(status: number, path: string): string {
  const elsewhere = path === '/' ? 'another --heartbeat-path, or tcp' : '--heartbeat-path / or tcp';
  if (status < 400) return `--heartbeat-status 200-399 takes that for health; or ${elsewhere}`;
  // Servers that know their names answer so to any other one.
  if (status === 400 || status === 421) return `is it there, for that Host? ${elsewhere}, or --heartbeat-host`;
  if (status === 401 || status === 403) return `may anybody ask it? ${elsewhere}`;
  return `is it there? ${elsewhere}`;
}

/** The kind of a failed probe. */
export function kindOf(error: unknown): FailureKind {
  if (error instanceof WrongAnswer) return isUnfit(error.status) ? 'unfit' : 'other';
  const errors = error instanceof AggregateError ? error.errors : [error];
  const isRefusal = (one: unknown) => ['ECONNREFUSED', 'ENOENT'].includes((one as NodeJS.ErrnoException)?.code ?? '');
  return errors.some(isRefusal) ? 'refused' : 'other';
}
