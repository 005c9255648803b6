// What the program holds at rest, before and after: whatever is more afterwards was leaked. Reads it from the system
// and from inside the program; the comparison is pure.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stage } from './stage.ts';

/** What there is of each kind, such as `socket` or `Timeout`. */
export type Counts = Readonly<Record<string, number>>;

export interface Rest {
  readonly pid: number;
  /** Open files of the program by what they are. */
  readonly descriptors: Counts;
  /** What keeps its event loop going and has no descriptor, such as timers. */
  readonly resources: Counts;
  /** Child processes by their kind: replicas, guardians, others. */
  readonly processes: Counts;
  /** Requests at replicas and in lines, connections of clients, replicas that leave. */
  readonly inFlight: number;
  /** After a collection. */
  readonly heapBytes: number;
  readonly residentBytes: number;
}

const LOOK_MS = 250;
const LOOKS_ALIKE = 5;
// What waits to be closed at rest: kept connections to replicas (1 s here), and those of clients.
const LIMIT_MS = 20_000;

const MIB = 2 ** 20;
const HEAP_ROOM_BYTES = 24 * MIB;

/**
 * Waits until nothing is in flight and what there is gets no less any more, or for 20 s, and tells the least that was
 * seen of each kind: a heartbeat has a socket and a timer for a moment. Replaces all replicas first: those that were
 * taken over in an upgrade are watched in another way, so without that one could not compare.
 */
export async function comeToRest(stage: Stage): Promise<Rest> {
  await stage.call('POST', '/balancer/roll', {});
  const untilMs = performance.now() + LIMIT_MS;
  let rest = await look(stage);
  for (let alike = 0; alike < LOOKS_ALIKE && performance.now() < untilMs; ) {
    await sleep(LOOK_MS);
    const next = await look(stage);
    const least = next.inFlight === 0 && rest.inFlight === 0 ? leastOf(rest, next) : next;
    alike = shapeOf(least) === shapeOf(rest) ? alike + 1 : 0;
    rest = least;
  }
  return rest;
}

function leastOf(one: Rest, other: Rest): Rest {
  const least = (a: Counts, b: Counts) =>
    Object.fromEntries(
      Object.entries(b).flatMap(([kind, count]) => (kind in a ? [[kind, Math.min(count, a[kind] ?? 0)]] : [])),
    );
  return {
    ...other,
    descriptors: least(one.descriptors, other.descriptors),
    resources: least(one.resources, other.resources),
    processes: least(one.processes, other.processes),
    heapBytes: Math.min(one.heapBytes, other.heapBytes),
  };
}

/** What is more than it was. */
export function leaksSince(before: Rest, after: Rest): string[] {
  const grown = (what: string, one: Counts, other: Counts) =>
    Object.entries(other)
      .filter(([kind, count]) => count > (one[kind] ?? 0))
      .map(([kind, count]) => `${what}: ${kind} ${one[kind] ?? 0} → ${count}`);
  const heap = after.heapBytes - before.heapBytes;
  return [
    ...(after.inFlight === 0 ? [] : [`${after.inFlight} requests are still in flight`]),
    ...grown('descriptors', before.descriptors, after.descriptors),
    ...grown('resources', before.resources, after.resources),
    ...grown('processes', before.processes, after.processes),
    ...(heap <= HEAP_ROOM_BYTES ? [] : [`the heap grew by ${Math.round(heap / MIB)} MiB`]),
  ];
}

export function describeRest({ descriptors, processes, heapBytes, residentBytes }: Rest): string {
  const total = (counts: Counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);
  const memory = `heap ${(heapBytes / MIB).toFixed(1)} MiB, resident ${Math.round(residentBytes / MIB)} MiB`;
  return `${total(descriptors)} descriptors, ${total(processes)} child processes, ${memory}`;
}

async function look(stage: Stage): Promise<Rest> {
  const { pid } = stage;
  // Before anything is asked, since that takes a connection.
  const descriptors = countBy(readdirSync(`/proc/${pid}/fd`), (fd) => kindOf(pid, fd));
  const metrics = await stage.call('GET', '/balancer/metrics');
  const inside = (await stage.inside(0, 'rest')) as { resources: Counts; heapUsed: number; rss: number };
  return {
    pid,
    descriptors,
    resources: withoutDescriptors(inside.resources),
    processes: processesOf(stage),
    inFlight: ['requests_in_flight', 'requests_waiting', 'tunnels', 'replicas_leaving'].reduce(
      (sum, name) => sum + total(metrics, `ringmaster_${name}`),
      0,
    ),
    heapBytes: inside.heapUsed,
    residentBytes: inside.rss,
  };
}

function shapeOf({ descriptors, resources, processes, inFlight }: Rest): string {
  return JSON.stringify([descriptors, resources, processes, inFlight]);
}

function total(metrics: string, name: string): number {
  const samples = metrics.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'gm'));
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
}

// What has one is counted as a descriptor. Pipes that Node made for a child and could not open have none, and stay.
function withoutDescriptors(resources: Counts): Counts {
  return Object.fromEntries(Object.entries(resources).filter(([kind]) => !/^(?:Pipe|TCP\w*)Wrap$/.test(kind)));
}

function kindOf(pid: number, fd: string): string {
  try {
    const target = readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:\[\d+\]$/, '');
    // libuv keeps a descriptor back for when there is none: of /dev/null at first, and of / once it was needed.
    return target === '/' ? '/dev/null' : target;
  } catch {
    // That of the look itself.
    return '';
  }
}

/** The processes of this run: they have its directory in their environment, or guard its replicas. */
function processesOf({ directory, pid: ours }: Stage): Counts {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return countBy(pids, (pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      const parent = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      if (Number(parent) === ours && command.includes('guardian')) return 'guardian';
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`CHAOS_DIR=${directory}\0`)) return '';
      return command.includes('main.ts') ? 'balancer' : 'replica';
    } catch {
      return '';
    }
  });
}

function countBy(names: readonly string[], kind: (name: string) => string): Counts {
  const counts: Record<string, number> = {};
  for (const name of names) {
    const one = kind(name);
    if (one !== '') counts[one] = (counts[one] ?? 0) + 1;
  }
  return counts;
}

/** How many processes of the run are left, once it is over. */
export function processesLeft(stage: Stage): number {
  return Object.values(processesOf(stage)).reduce((sum, count) => sum + count, 0);
}
