// A relay between the balancer and a replica that harms the connection from one phase of the request on. The faults are
// those of toxiproxy (its "toxics"), and garbage. Before the fault, and in the direction that it does not concern, all
// passes as it comes. Faults of a connect that never gets as far as a relay are in full-backlog.ts.

import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export const FAULTS = [
  /** Each byte comes later, by `DELAY_MS`. */
  'latency',
  /** Each piece of 64 bytes comes later, by any time up to twice `DELAY_MS`; the order stays. */
  'jitter',
  /** Bytes come at `BYTES_PER_SECOND`. */
  'bandwidth',
  /** Both connections are reset. */
  'reset',
  /** Nothing passes any more, in either direction, and the connections stay open. */
  'timeout',
  /** Nothing passes any more, and the connections end in order after `DELAY_MS`. */
  'slow close',
  /** Other bytes come in place of each, the same ones each time. */
  'garbage',
  /** Both connections end in order. */
  'limited data',
] as const;

/** Where a fault begins: at the connect, or in the middle of a head or body, or before the reply. */
export const PHASES = ['connect', 'request head', 'request body', 'wait', 'reply head', 'reply body'] as const;

export type Fault = (typeof FAULTS)[number];
export type Phase = (typeof PHASES)[number];

export interface FaultAt {
  readonly fault: Fault;
  readonly phase: Phase;
}

export const DELAY_MS = 300;
export const BYTES_PER_SECOND = 2048;
/** A fault within a body begins behind that many bytes of it. */
export const BODY_BYTES_BEFORE = 512;

const PIECE_BYTES = 64;
// For what was passed before the fault to be read: a reset may drop what is not.
const READ_MS = 20;
const HEAD_END = '\r\n\r\n';

export interface Relay {
  readonly port: number;
  /** Holds for the connections that are made from now on. */
  harm: FaultAt | undefined;
  /** How long the bytes of the last connection were held up in all, in ms. */
  readonly delayedMs: number;
  close(): Promise<void>;
}

/**
 * Relays connections to that port of 127.0.0.1.
 * @param passed waits until what was passed before the fault has been read; otherwise it has a moment for that.
 */
export async function openRelay(
  targetPort: number,
  harm?: FaultAt,
  passed: () => Promise<unknown> = () => sleep(READ_MS),
): Promise<Relay> {
  const sockets = new Set<Socket>();
  const follow = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    return socket;
  };
  let delayedMs = 0;
  const onDelay = (ms: number) => {
    delayedMs = ms;
  };
  const server = net.createServer({ noDelay: true }, (near) => {
    follow(near);
    if (relay.harm?.phase === 'connect') {
      harmConnect(near, relay.harm.fault, onDelay);
      return;
    }
    const far = follow(net.connect({ port: targetPort, host: '127.0.0.1', noDelay: true }));
    join({ near, far, isCut: false, passed, onDelay }, relay.harm);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const relay: Relay = {
    port: (server.address() as AddressInfo).port,
    harm,
    get delayedMs() {
      return delayedMs;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return relay;
}

// What can befall a connection that was accepted before a byte has come. All others are faults of the connect itself.
function harmConnect(near: Socket, fault: Fault, onDelay: (ms: number) => void): void {
  // Bytes that nobody reads would make the end a reset.
  near.resume();
  if (fault === 'limited data') near.end();
  if (fault === 'garbage') near.write(garbled(PIECE_BYTES, chance()));
  if (fault !== 'slow close') return;
  onDelay(DELAY_MS);
  after(DELAY_MS, () => near.end());
}

/** One direction. */
interface Flow {
  data(bytes: Buffer): void;
  end(): void;
}

/** Two connections that belong together. */
interface Link {
  readonly near: Socket;
  readonly far: Socket;
  /** Nothing passes any more. */
  isCut: boolean;
  readonly passed: () => Promise<unknown>;
  readonly onDelay: (ms: number) => void;
}

function join(link: Link, harm: FaultAt | undefined): void {
  const { near, far } = link;
  const harmsRequest = harm?.phase === 'request head' || harm?.phase === 'request body';
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    const plain: Flow = {
      data: (bytes) => void (!link.isCut && to.writable && to.write(bytes)),
      end: () => void (link.isCut || to.end()),
    };
    const isHarmed = harm !== undefined && harmsRequest === (from === near);
    const flow = isHarmed ? fromPhase(harm.phase, plain, harmful(harm.fault, plain, link), link.passed) : plain;
    from.on('data', flow.data).on('end', flow.end);
  }
  near.once('close', () => far.destroy());
  far.once('error', () => link.isCut || near.destroy());
}

// Passes what comes before that phase is half over, and gives the rest to the other flow.
function fromPhase(phase: Phase, before: Flow, after: Flow, passed: () => Promise<unknown>): Flow {
  let given: Promise<unknown> | undefined;
  const give = (next: () => void) => {
    given = (given ?? passed()).then(next);
  };
  let head = Buffer.alloc(0);
  let leftBytes: number | undefined;
  const split = (bytes: Buffer, sizeBytes: number) => {
    leftBytes = Math.max(0, sizeBytes - bytes.length);
    if (sizeBytes > 0) before.data(bytes.subarray(0, sizeBytes));
    if (sizeBytes < bytes.length) give(() => after.data(bytes.subarray(sizeBytes)));
  };
  return {
    data: (bytes) => {
      if (leftBytes !== undefined) {
        split(bytes, leftBytes);
        return;
      }
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf(HEAD_END);
      if (end !== -1) split(head, bytesBefore(phase, end + HEAD_END.length));
    },
    end: () => give(after.end),
  };
}

function bytesBefore(phase: Phase, headBytes: number): number {
  switch (phase) {
    case 'connect':
    case 'wait':
      return 0;
    case 'request head':
    case 'reply head':
      return Math.floor(headBytes / 2);
    case 'request body':
    case 'reply body':
      return headBytes + BODY_BYTES_BEFORE;
  }
}

// What becomes of the bytes from the fault on.
function harmful(fault: Fault, plain: Flow, link: Link): Flow {
  const random = chance();
  const cut = (then: () => void, afterMs: number): Flow => ({
    data: () => {
      if (link.isCut) return;
      link.isCut = true;
      link.onDelay(afterMs);
      after(afterMs, then);
    },
    end: () => undefined,
  });
  const both = (act: (socket: Socket) => void) => () => [link.near, link.far].forEach(act);
  switch (fault) {
    case 'latency':
      return late(plain, link, (nowMs) => nowMs + DELAY_MS);
    case 'jitter':
      return late(plain, link, (nowMs) => nowMs + random() * 2 * DELAY_MS);
    case 'bandwidth':
      return late(
        plain,
        link,
        (nowMs, lastMs, sizeBytes) => Math.max(nowMs, lastMs) + (1000 * sizeBytes) / BYTES_PER_SECOND,
      );
    case 'garbage':
      return { data: ({ length }) => plain.data(garbled(length, random)), end: plain.end };
    case 'timeout':
      return cut(() => undefined, 0);
    case 'reset':
      return cut(
        both((socket) => socket.resetAndDestroy()),
        0,
      );
    case 'limited data':
      return cut(
        both((socket) => socket.end()),
        0,
      );
    case 'slow close':
      return cut(
        both((socket) => socket.end()),
        DELAY_MS,
      );
  }
}

/** @param dueMs when a piece is due, by the time now and the time at which the last one is. */
function late(plain: Flow, link: Link, dueMs: (nowMs: number, lastMs: number, sizeBytes: number) => number): Flow {
  const waiting: { readonly atMs: number; readonly pass: () => void }[] = [];
  let firstMs: number | undefined;
  let lastMs = 0;
  const passDue = () => {
    while (waiting[0] !== undefined && waiting[0].atMs <= performance.now()) waiting.shift()?.pass();
    if (waiting[0] !== undefined) after(waiting[0].atMs - performance.now(), passDue);
  };
  const wait = (pass: () => void) => {
    waiting.push({ atMs: lastMs, pass });
    if (waiting.length === 1) passDue();
  };
  return {
    data: (bytes) => {
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        const piece = bytes.subarray(at, at + PIECE_BYTES);
        const nowMs = performance.now();
        firstMs ??= nowMs;
        lastMs = Math.max(lastMs, dueMs(nowMs, lastMs, piece.length));
        link.onDelay(lastMs - firstMs);
        wait(() => plain.data(piece));
      }
    },
    end: () => wait(plain.end),
  };
}

// Not a moment earlier: a timer of Node counts from when its turn of the loop began.
function after(delayMs: number, then: () => void): void {
  const dueMs = performance.now() + delayMs;
  const look = () => {
    const leftMs = dueMs - performance.now();
    if (leftMs > 0) setTimeout(look, leftMs);
    else then();
  };
  look();
}

function garbled(sizeBytes: number, random: () => number): Buffer {
  return Buffer.from(Array.from({ length: sizeBytes }, () => Math.floor(random() * 256)));
}

// The same numbers from 0 to 1 each time (mulberry32), so that a fault is the same each time.
function chance(): () => number {
  let state = 20_261_126;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
