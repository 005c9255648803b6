// Loaded into the program by `--import`, in each of its threads: answers what a run asks of its inside, and does there
// what a fault does. Nothing of it is in `lib/`. In JavaScript, since no thread has to strip types of it.

import net from 'node:net';
import { join } from 'node:path';
import { writeHeapSnapshot } from 'node:v8';
import { threadId } from 'node:worker_threads';

const { CHAOS_DIR } = process.env;
const RealDate = Date;
let movedMs = 0;

// The clock of this thread as everything in it reads it. The monotonic one stays, as it does when an administrator, or
// NTP, sets the time.
class MovedDate extends RealDate {
  constructor(...given) {
    if (given.length === 0) super(RealDate.now() + movedMs);
    else super(...given);
  }

  static now() {
    return RealDate.now() + movedMs;
  }
}

const DEEDS = {
  rest: () => {
    globalThis.gc?.();
    globalThis.gc?.();
    const resources = {};
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
    const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
    return { rss, heapUsed, external, arrayBuffers, resources };
  },
  // It is collected before, and nothing else happens meanwhile.
  heap: () => ({ path: writeHeapSnapshot(join(CHAOS_DIR, `${process.pid}.heapsnapshot`)) }),
  throw: () => {
    setTimeout(() => {
      throw new Error('a mistake that chaos makes');
    });
    return {};
  },
  clock: (ms) => {
    globalThis.Date = MovedDate;
    movedMs = ms;
    return {};
  },
};

if (CHAOS_DIR !== undefined) {
  net
    .createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (line) => {
        const { deed, value } = JSON.parse(String(line));
        socket.end(`${JSON.stringify(DEEDS[deed](value))}\n`);
      });
    })
    .on('error', () => undefined)
    .listen(join(CHAOS_DIR, `inside-${process.pid}-${threadId}`))
    .unref();
}
