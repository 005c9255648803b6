// The thread of bystanders.ts.

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import type { Answered, Order } from './bystanders.ts';

const server = http.createServer((_, response) => response.end('plain'));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
parentPort?.postMessage((server.address() as AddressInfo).port);

const streams = new Map<number, { stop(): Promise<Answered> }>();
parentPort?.on('message', async (order: Order) => {
  if (order.type === 'send') streams.set(order.id, send(order));
  else parentPort?.postMessage({ id: order.id, answered: await streams.get(order.id)?.stop() });
});

// Each at its time, whatever became of those before.
function send({ url, headers, perSecond }: Order & { type: 'send' }) {
  const agent = new http.Agent({ keepAlive: true });
  const tookMs: number[] = [];
  const failures: string[] = [];
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  const sendOne = () =>
    new Promise<void>((resolve) => {
      const sentMs = performance.now();
      const request = http.get(url, { agent, headers }, (response) => {
        response.resume().once('close', () => {
          if (response.statusCode === 200 && response.complete) tookMs.push(performance.now() - sentMs);
          else failures.push(`${response.statusCode}`);
          resolve();
        });
      });
      request.once('error', ({ message }) => {
        failures.push(message);
        resolve();
      });
    });
  const running = (async () => {
    const startMs = performance.now();
    for (let count = 0; !stopping.signal.aborted; count++) {
      await sleep(Math.max(0, startMs + (1000 * count) / perSecond - performance.now()));
      const one = sendOne().then(() => void underWay.delete(one));
      underWay.add(one);
    }
    await Promise.all(underWay);
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
      agent.destroy();
      return { tookMs, failures };
    },
  };
}
