// Whether a port can be had.

import net from 'node:net';

/** Rejects with the system's error if somebody listens there, whether he would share the port or not. */
export function checkPortIsFree(port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen({ port, host }, () => server.close(() => resolve()));
  });
}
