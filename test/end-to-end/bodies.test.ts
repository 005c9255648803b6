// Large bodies and many connections: streams must not pile up in memory.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';

// A generous limit for a busy machine; what is tested does not depend on time.
const PATIENT = { timeout: 240_000 };

const GIB = 2 ** 30;
const piece = Buffer.alloc(65_536, 'ringmaster ');

/** The peak of a process's resident memory so far, in MiB. */
function peakMiB(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** A service that counts the bytes of each POST, and sends as many bytes as `GET /<bytes>` asks for. */
async function service() {
  const server = http.createServer(async (request, response) => {
    if (request.method === 'POST') {
      let sizeBytes = 0;
      const hash = createHash('md5');
      for await (const chunk of request) {
        sizeBytes += chunk.length;
        hash.update(chunk);
      }
      response.end(`${sizeBytes} ${hash.digest('hex')}`);
      return;
    }
    let left = Number(request.url?.slice(1));
    const send = () => {
      while (left > 0) {
        const part = piece.subarray(0, Math.min(left, piece.length));
        left -= part.length;
        if (!response.write(part)) {
          response.once('drain', send);
          return;
        }
      }
      response.end();
    };
    send();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, upstream: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

t.test('1 GiB passes in each direction in flat memory', PATIENT, async (t) => {
  const { server, upstream } = await service();
  const program = await startProgram(['--upstream', upstream, '--heartbeat-path', 'off']);
  t.teardown(async () => {
    await program.stop();
    server.close();
  });
  await (await fetch(`${program.url}/1000`)).text();
  const pid = program.process.pid as number;
  const beforeMiB = peakMiB(pid);

  let receivedBytes = 0;
  for await (const chunk of (await fetch(`${program.url}/${GIB}`)).body ?? []) receivedBytes += chunk.length;
  t.equal(receivedBytes, GIB);

  const hash = createHash('md5');
  const upload = new ReadableStream({
    pull(controller) {
      for (let count = 0; count < 16; count++) {
        hash.update(piece);
        controller.enqueue(piece);
      }
      sent += 16 * piece.length;
      if (sent >= GIB) controller.close();
    },
  });
  let sent = 0;
  const init = { method: 'POST', body: upload, duplex: 'half' } as RequestInit;
  const answer = await (await fetch(`${program.url}/`, init)).text();
  t.equal(answer, `${GIB} ${hash.digest('hex')}`);

  const grownMiB = peakMiB(pid) - beforeMiB;
  t.ok(grownMiB < 128, `memory grew by ${Math.round(grownMiB)} MiB`);
});

t.test('a client that does not read holds the replica back instead of filling memory', PATIENT, async (t) => {
  const { server, upstream } = await service();
  const program = await startProgram(['--upstream', upstream, '--heartbeat-path', 'off']);
  t.teardown(async () => {
    await program.stop();
    server.close();
  });
  await (await fetch(`${program.url}/1000`)).text();
  const beforeMiB = peakMiB(program.process.pid as number);
  const request = http.get(`${program.url}/${GIB}`);
  const response = await new Promise<http.IncomingMessage>((resolve) => request.once('response', resolve));
  response.pause();
  // Memory would fill up during this time. There is no event to wait for if it does not.
  await sleep(1500);
  const grownMiB = peakMiB(program.process.pid as number) - beforeMiB;
  request.destroy();
  t.ok(grownMiB < 32, `memory grew by ${Math.round(grownMiB)} MiB`);
});

t.test(
  '10,000 requests on 100 kept connections through three replicas: none fails, memory stays flat',
  PATIENT,
  async (t) => {
    const program = await startProgram();
    t.teardown(() => program.stop());
    const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });
    const get = () =>
      new Promise<string>((resolve, reject) => {
        http
          .get(`${program.url}/home`, { agent }, async (response) => {
            let text = '';
            for await (const chunk of response) text += chunk;
            resolve(`${response.statusCode} ${/server\d/.exec(text)?.[0]}`);
          })
          .once('error', reject);
      });
    const round = async (requests: number) => {
      const counts = new Map<string, number>();
      let left = requests;
      const worker = async () => {
        for (; left > 0; ) {
          left -= 1;
          const answer = await get();
          counts.set(answer, (counts.get(answer) ?? 0) + 1);
        }
      };
      await Promise.all(Array.from({ length: 100 }, worker));
      return counts;
    };
    await round(5000);
    const beforeMiB = peakMiB(program.process.pid as number);
    const counts = await round(10_000);
    t.same([...counts.keys()].sort(), ['200 server1', '200 server2', '200 server3']);
    t.equal(
      [...counts.values()].reduce((a, b) => a + b),
      10_000,
    );
    const grownMiB = peakMiB(program.process.pid as number) - beforeMiB;
    t.ok(grownMiB < 24, `memory grew by ${Math.round(grownMiB)} MiB`);
    agent.destroy();
  },
);
