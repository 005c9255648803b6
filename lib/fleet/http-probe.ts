// Asks a replica how it is: GET of the heartbeat path on a connection of its own, so that a probe says whether the replica
// still accepts one. Status 200 … 299 is health; nothing is read of the body.

import http from 'node:http';
import type { Probe } from '../core/ports.ts';

export function httpProbe(path: string): Probe {
  return (address, signal) =>
    new Promise((resolve, reject) => {
      const request = http.request({
        ...(address.type === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port }),
        path,
        agent: false,
        signal,
        headers: { 'user-agent': 'ringmaster-heartbeat' },
      });
      request.once('error', reject);
      request.once('response', (response) => {
        const status = response.statusCode ?? 0;
        response.on('error', () => undefined);
        request.destroy();
        if (status >= 200 && status < 300) resolve();
        else reject(new Error(`the heartbeat was answered with ${status}`));
      });
      request.end();
    });
}

/** For `--heartbeat-path off`: every replica counts as healthy, and only exits convict. */
export const noProbe: Probe = () => Promise.resolve();
