// The service of a chaos run: answers requests as they say, writes down each (history.ts), and does wrong what it is told
// to do wrong. In JavaScript, since it is run as any command is. Orders come by a file, so that they reach a container
// as well as a process.

import { createHash, randomBytes } from 'node:crypto';
import { openSync, readFileSync, writeSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 20;
const SLOW_MS = 400;

const { CHAOS_DIR = '', CHAOS_HISTORY = 'all', SERVER_ID = '', PORT = '', HOST } = process.env;
const life = `${SERVER_ID}.${randomBytes(4).toString('hex')}`;
// What is appended by one call is a line of its own, and stays when the process is killed.
const file = openSync(join(CHAOS_DIR, `replica-${life}.jsonl`), 'a');
const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000;
// A long run would fill the disk.
const isQuiet = CHAOS_HISTORY === 'none';
const note = (is, more) =>
  (isQuiet && is !== 'up') || writeSync(file, `${JSON.stringify({ is, life, atMs: nowMs(), ...more })}\n`);

let order = { how: '', untilMs: 0 };

function obey() {
  try {
    order = JSON.parse(readFileSync(join(CHAOS_DIR, 'orders', SERVER_ID), 'utf8'));
  } catch {
    // There is none, or it is being written.
  }
  const refuses = order.how === 'refuse' && nowMs() < order.untilMs;
  // Only the listener is closed: what is open goes on.
  if (refuses && server.listening) net.Server.prototype.close.call(server);
  else if (!refuses && !server.listening) listen();
}

const server = http.createServer((request, response) => void serve(request, response));
server.on('checkContinue', (request, response) => void serve(request, response, () => response.writeContinue()));
server.keepAliveTimeout = 60_000;
server.on('error', () => undefined);

function listen() {
  if (PORT.startsWith('/')) server.listen(PORT);
  else server.listen(Number(PORT), HOST);
}

/** @param {string} nonce @param {number} bytes */
function bodyOf(nonce, bytes) {
  return Buffer.alloc(bytes, `${nonce}\n`);
}

async function serve(request, response, goOn = () => undefined) {
  if (request.url === '/heartbeat') {
    response.end();
    return;
  }
  const { method } = request;
  const url = new URL(request.url ?? '', 'http://replica');
  const [nonce = '', size = 0, waitMs = 0] = ['nonce', 'size', 'wait'].map(
    (name) => url.searchParams.get(name) ?? undefined,
  );
  note('begun', { nonce, method });
  const how = nowMs() < order.untilMs ? order.how : '';
  if (how === 'reset-interim') response.writeContinue();
  else goOn();
  const hash = createHash('sha1');
  let bytes = 0;
  request.on('error', () => undefined);
  response.on('error', () => undefined);
  if (how === 'reset-interim') {
    await sleep(5);
    spoil(nonce, how, response);
    return;
  }
  try {
    for await (const piece of request) {
      hash.update(piece);
      bytes += piece.length;
    }
  } catch {
    // The client left within its body, so nothing is executed.
    return;
  }
  const reply = bodyOf(nonce, Number(size));
  const digest = (buffer) => createHash('sha1').update(buffer).digest('hex');
  note('executed', { nonce, bytes, digest: hash.digest('hex'), replyBytes: reply.length, replyDigest: digest(reply) });
  await sleep(Number(waitMs) + (how === 'slow' ? SLOW_MS : 0));
  if (how === 'slow') note('spoilt', { nonce, how });
  else if (how !== '' && how !== 'refuse') {
    spoil(nonce, how, response, reply);
    return;
  }
  response.once('finish', () => note('answered', { nonce }));
  const fields = { 'X-Nonce': nonce, 'X-Life': life };
  if (url.searchParams.has('chunked')) {
    response.writeHead(200, fields);
    response.write(reply.subarray(0, reply.length >> 1));
    response.end(reply.subarray(reply.length >> 1));
  } else {
    response.writeHead(200, { ...fields, 'Content-Length': reply.length });
    response.end(reply);
  }
}

function spoil(nonce, how, response, reply = Buffer.alloc(0)) {
  note('spoilt', { nonce, how });
  const { socket } = response;
  if (how === 'hang') return;
  if (how === 'garbage') socket.end(randomBytes(200));
  if (how === 'reset-head') socket.write('HTTP/1.1 200 OK\r\nContent-Le');
  if (how === 'reset-body') {
    const half = reply.subarray(0, reply.length >> 1);
    socket.write(`HTTP/1.1 200 OK\r\nX-Nonce: ${nonce}\r\nX-Life: ${life}\r\nContent-Length: ${reply.length}\r\n\r\n`);
    socket.write(half);
  }
  if (how === 'end-body') {
    // An end in order, within a reply that is not whole.
    const head = `HTTP/1.1 200 OK\r\nX-Nonce: ${nonce}\r\nX-Life: ${life}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    socket.end(`${head}${Math.max(1, reply.length).toString(16)}\r\n`);
    return;
  }
  if (how === 'garbage') return;
  // What was written is to arrive before the reset.
  setTimeout(() => socket.resetAndDestroy(), how === 'reset-before' ? 0 : 10);
}

note('up', { who: SERVER_ID, pid: process.pid });
listen();
setInterval(obey, LOOK_MS);
