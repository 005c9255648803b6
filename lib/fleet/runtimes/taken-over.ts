// A replica's process that another process of ours has started, and that this one has taken over. It is no child of
// this one, so nobody tells when it ends: this file looks whether it still runs.

import net from 'node:net';
import type { Clock, HandedProcess } from '../../core/ports.ts';
import { runningProcess } from './process-group.ts';
import type { Running } from './replica-process.ts';

// One whose output is closed has most likely ended; it is then asked for often, for a while.
const LOOK_EVERY_MS = 1000;
const FIRST_PAUSE_MS = 2;

export function takeOver(handed: HandedProcess, clock: Clock): Running {
  const [stdout, stderr] = [handed.stdout, handed.stderr].map((fd) => {
    const stream = new net.Socket({ fd, readable: true, writable: false });
    stream.on('error', () => undefined);
    return stream;
  }) as [net.Socket, net.Socket];
  return { pid: handed.pid, ended: untilEnded(handed, [stdout, stderr], clock), wasKilled: false, stdout, stderr };
}

async function untilEnded(handed: HandedProcess, streams: readonly net.Socket[], clock: Clock): Promise<string> {
  let pauseMs = LOOK_EVERY_MS;
  let pause = new AbortController();
  for (const stream of streams) {
    stream.once('close', () => {
      pauseMs = FIRST_PAUSE_MS;
      pause.abort();
    });
  }
  while (await stillRuns(handed)) {
    await clock.sleep(pauseMs, pause.signal).catch(() => undefined);
    pause = new AbortController();
    pauseMs = Math.min(LOOK_EVERY_MS, 1.5 * pauseMs);
  }
  return 'it ended';
}

// The same process is there, and not another one of that number.
async function stillRuns({ pid, startTicks }: HandedProcess): Promise<boolean> {
  const found = await runningProcess(pid);
  // Whoever cannot look has not seen it end.
  return found === 'unknown' || found?.startTicks === startTicks;
}
