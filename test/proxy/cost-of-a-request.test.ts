// What a request costs, in counts and not in time, so that a change that makes it dearer shows on any machine: system
// calls as the kernel counts them, timers as Node does, and memory as V8 samples it.

import { createHook } from 'node:async_hooks';
import { readFileSync } from 'node:fs';
import { type HeapProfiler, Session } from 'node:inspector/promises';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { startProxy, tcp } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const REQUESTS = 2000;
const ASK = 'GET /path?query=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nAccept: */*\r\nX-Some: thing\r\n\r\n';

/** Asks one request after the other on one connection. All replies have one length. */
async function asker(port: number): Promise<() => Promise<void>> {
  const client = await connectRaw(port);
  client.send(ASK);
  const { length } = await client.until(/x{57}$/);
  let asked = 1;
  return async () => {
    asked += 1;
    client.send(ASK);
    await client.until((text) => text.length >= asked * length);
  };
}

const echo = (socket: { write(text: string): unknown }) => socket.write(reply('x'.repeat(57)));

/** Reads and writes of a process so far. */
function calls(pid: number): { reads: number; writes: number } {
  const [, reads, writes] = /syscr: (\d+)\nsyscw: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8')) ?? [];
  return { reads: Number(reads), writes: Number(writes) };
}

t.test('a request on a kept connection takes two reads and two writes', async (t) => {
  const replica = await scriptedReplica(echo);
  const program = await startProgram(['--upstream', replica.upstream, '--heartbeat-path', 'off']);
  t.teardown(() => Promise.all([program.stop(), replica.close()]));
  const ask = await asker(Number(new URL(program.url).port));
  await ask();
  const pid = program.process.pid ?? 0;
  const before = calls(pid);
  for (let count = 0; count < REQUESTS; count++) await ask();
  const after = calls(pid);
  // A few more are for ticks.
  const [reads, writes] = [(after.reads - before.reads) / REQUESTS, (after.writes - before.writes) / REQUESTS];
  t.ok(reads >= 2 && reads < 2.2, `${reads} reads`);
  t.ok(writes >= 2 && writes < 2.2, `${writes} writes`);
});

t.test(
  'a request on a kept connection and its line in the access log make no timer, and less than 12 KB of garbage',
  async (t) => {
    const replica = await scriptedReplica(echo);
    const proxy = await startProxy([tcp(replica.port)], { accessLog: 'all' });
    t.teardown(() => Promise.all([proxy.close(), replica.close()]));
    const ask = await asker(proxy.port);
    for (let count = 0; count < REQUESTS; count++) await ask();

    const made = new Map<string, number>();
    const hook = createHook({
      init: (_id, type) => made.set(type, (made.get(type) ?? 0) + 1),
    });
    const session = new Session();
    session.connect();
    hook.enable();
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: 512,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
    const beganMs = performance.now();
    for (let count = 0; count < REQUESTS; count++) await ask();
    // Lines wait 200 ms for each other.
    const forLines = (performance.now() - beganMs) / 200;
    const { profile } = await session.post('HeapProfiler.stopSampling');
    hook.disable();
    session.disconnect();
    const bytes = bytesUnder(profile.head, /\/lib\/(proxy|http|core)\//) / REQUESTS;
    t.ok((made.get('Timeout') ?? 0) < REQUESTS / 20 + forLines, `${made.get('Timeout')} timers`);
    // 7.7 KB when this was written, the writes of Node's streams included. A line takes less than 0.1 KB; this test
    // copies it.
    t.ok(bytes > 1000 && bytes < 12_000, `${bytes} bytes`);
  },
);

// Bytes that were allocated in functions of those files, and in all that they call.
function bytesUnder(node: HeapProfiler.SamplingHeapProfileNode, files: RegExp, within = false): number {
  const counts = within || files.test(node.callFrame.url);
  const own = counts ? node.selfSize : 0;
  return own + node.children.reduce((sum, child) => sum + bytesUnder(child, files, counts), 0);
}
