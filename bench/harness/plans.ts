// A few clients that ask one request after the other while a replica leaves and joins again and again: how long each
// change took, and the longest that a client waited meanwhile.

import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const CLIENTS = 8;
const QUIET_MS = 1000;
// Between two changes, so that clients wait for one of them at most.
const PAUSE_MS = 50;

export interface Rejoining {
  /** As /rm takes it. */
  readonly hostname: string;
  /** As /add takes it. */
  readonly address: string;
  readonly times: number;
}

export interface Rejoined {
  readonly changesMs: readonly number[];
  readonly quietMs: number;
  readonly longestMs: number;
  readonly requests: number;
  readonly errors: number;
}

/** @param url of a balancer whose replicas are given. */
export async function rejoin(url: string, { hostname, address, times }: Rejoining): Promise<Rejoined> {
  const seen = { longestMs: 0, requests: 0, errors: 0 };
  let isOver = false;
  const clients = Array.from({ length: CLIENTS }, () => askAgainAndAgain(new URL(url), seen, () => isOver));
  try {
    await Promise.all(clients.map(({ asks }) => asks));
    // What is loaded and compiled for a change is not to be measured.
    await change(url, 'DELETE', '/rm?dry-run', { n: 1, hostnames: [hostname] });
    seen.longestMs = 0;
    await sleep(QUIET_MS);
    const quietMs = rounded(seen.longestMs);
    seen.longestMs = 0;
    const changesMs = await leaveAndJoin(url, { hostname, address, times });
    const { longestMs, requests, errors } = seen;
    return { changesMs, quietMs, longestMs: rounded(longestMs), requests, errors };
  } finally {
    isOver = true;
    await Promise.all(clients.map(({ ended }) => ended));
  }
}

async function leaveAndJoin(url: string, { hostname, address, times }: Rejoining): Promise<number[]> {
  const changesMs: number[] = [];
  const timed = async (method: string, path: string, body: object) => {
    const startMs = performance.now();
    await change(url, method, path, body);
    changesMs.push(rounded(performance.now() - startMs));
    await sleep(PAUSE_MS);
  };
  for (let time = 0; time < times; time++) {
    await timed('DELETE', '/rm?only-named', { n: 1, hostnames: [hostname] });
    await timed('POST', '/add', { n: 1, hostnames: [hostname], addresses: [address] });
  }
  return changesMs;
}

interface Seen {
  longestMs: number;
  requests: number;
  errors: number;
}

function askAgainAndAgain({ hostname, port, host }: URL, seen: Seen, isOver: () => boolean) {
  const socket = net.connect({ port: Number(port), host: hostname, noDelay: true });
  let askedMs = 0;
  let text = '';
  const ask = () => {
    askedMs = performance.now();
    text = '';
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  };
  const asks = new Promise<void>((resolve) => socket.once('data', () => resolve()));
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.setEncoding('latin1');
  socket.once('connect', ask);
  socket.on('error', () => {
    seen.errors += 1;
  });
  socket.on('data', (bytes) => {
    text += bytes;
    if (!isWhole(text)) return;
    seen.requests += 1;
    seen.longestMs = Math.max(seen.longestMs, performance.now() - askedMs);
    if (!text.startsWith('HTTP/1.1 200 ')) seen.errors += 1;
    if (isOver()) socket.end();
    else ask();
  });
  return { asks, ended };
}

function isWhole(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1];
  return headEnd !== -1 && text.length === headEnd + 4 + Number(length ?? 0);
}

// Not by `fetch`, which is loaded at its first use: that would hold up the clients here.
function change(url: string, method: string, path: string, body: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { 'Content-Length': text.length };
    const request = http.request(url + path, { method, headers }, (response) => {
      let answer = '';
      response.on('data', (bytes) => {
        answer += bytes;
      });
      response.on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${path} was answered by ${response.statusCode}: ${answer.slice(0, 300)}`));
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

function rounded(ms: number): number {
  return Math.round(ms * 10) / 10;
}
