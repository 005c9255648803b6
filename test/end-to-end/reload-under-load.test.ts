// Reloads under load: other hashes, keys, weights, limits and log levels, services that join and leave, and not one
// request that fails. RELOADS=1000 makes as many; a few are enough for every day.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { random, runSeed } from '../fixtures/random.ts';

const RELOADS = Number(process.env.RELOADS ?? 30);
const CLIENTS = 8;
const MOST_SHOWN = 10;

t.setTimeout(300_000 + RELOADS * 1000);

async function startService(t: Test) {
  const server = http.createServer((request, response) => request.pipe(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close().closeAllConnections());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Sends requests, one after the other for each client, until it is told to stop; gives how many, and the failed. */
function load(port: number) {
  let isOver = false;
  let count = 0;
  const failed: string[] = [];
  const ask = async (agent: http.Agent | false, method: string, body: string) => {
    while (!isOver) {
      count += 1;
      const told = await new Promise<string>((resolve) => {
        const headers = { 'X-Room': String(count % 100), 'Content-Length': body.length };
        const request = http.request({ port, agent, method, path: `/${count}`, headers }, (response) => {
          let text = '';
          response.on('data', (bytes) => {
            text += bytes;
          });
          response.on('end', () => resolve(`${response.statusCode} ${text}`));
          response.on('error', (error) => resolve(error.message));
        });
        request.on('error', (error) => resolve(error.message));
        request.end(body);
      });
      if (told !== `200 ${body}`) failed.push(`${method} ${told.slice(0, 200)}`);
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, index) => {
    // A connection that is kept, a new one for each, and bodies, which are not repeated.
    const agent = index % 2 === 0 ? new http.Agent({ keepAlive: true, maxSockets: 1 }) : false;
    return ask(agent, index % 4 < 2 ? 'GET' : 'POST', index % 4 < 2 ? '' : 'a body'.repeat(100));
  });
  return async () => {
    isOver = true;
    await Promise.all(clients);
    return { count, failed };
  };
}

for (const workers of ['1', '2']) {
  t.test(`${RELOADS} reloads with --workers ${workers}: no request fails`, async (t) => {
    const seed = runSeed();
    t.comment(`seed ${seed}`);
    const chance = random(seed);
    const any = <T>(...values: readonly T[]) => values[chance.below(values.length)] as T;
    const services = await Promise.all(Array.from({ length: 4 }, () => startService(t)));
    const [always = '', ...others] = services;
    const settings = () => ({
      service: { log: any('info', 'warn') },
      replicas: {
        upstream: [always, ...others.filter(() => chance.chance(0.6))].map((one) => `${one}${any('', '*2', '*4')}`),
      },
      ring: { hash: any('even', 'mixed', 'modulo', 'quadratic'), key: any('request', 'header:X-Room', 'client') },
      clients: { 'keep-alive-timeout': any('1m', '2m'), 'max-connections': any(1000, 2000) },
      requests: { 'reply-timeout': any('30s', '40s'), queue: any(1000, 10_000) },
      messages: { via: any(true, false) },
      'connections-to-replicas': { 'max-in-flight': any(64, 512), 'replica-idle-timeout': any('1s', '3s') },
    });
    const directory = mkdtempSync(join(tmpdir(), 'ringmaster-reload-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const path = join(directory, 'ringmaster.json');
    const write = () => writeFileSync(path, JSON.stringify(settings()));
    write();
    const patience = ['--heartbeat-path', '/', '--heartbeat-timeout', '20s', '--connect-timeout', '30s'];
    const program = await startProgram(['--config', path, '--workers', workers, ...patience]);
    t.teardown(() => program.stop());
    const stop = load(program.port);
    const refused: unknown[] = [];
    for (let reload = 0; reload < RELOADS; reload++) {
      write();
      const { status, body } = await program.json('/balancer/reload', { method: 'POST' });
      if (status !== 200) refused.push(body);
    }
    const { count, failed } = await stop();
    t.comment(`${count} requests`);
    t.same(refused.slice(0, MOST_SHOWN), []);
    t.same(failed.slice(0, MOST_SHOWN), [], `${failed.length} of ${count} requests failed`);
    t.ok(count > RELOADS, `${count} requests`);
  });
}
