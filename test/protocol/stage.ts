// A stage has one proxy under test and its replicas. It plays cases one after the other and judges the outcomes. What
// has to be true of every case is checked here.

import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Case, ClientStep, Outcome, Profile } from './case.ts';
import type { Contender, Running } from './contenders.ts';
import { Garbled, type Message, readReply, statusOf } from './message.ts';
import { listenAsReplicas, type Replicas } from './scripted-replicas.ts';

const LIMIT_MS = 2500;
const SETTLE_MS = 250;

export interface Stage {
  /** What the proxy did wrong in the case; empty if nothing. */
  play(one: Case): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openStage(contender: Contender, profile: Profile): Promise<Stage> {
  const replicas = await listenAsReplicas(profile === 'pair' ? 2 : 1);
  // Nothing listens on the discard port.
  const ports = profile === 'down' ? [9] : replicas.ports;
  let running = await contender.start(profile, ports);
  return {
    play: async (one) => {
      const seen = await perform(one, running, replicas);
      const faults = [...one.checks.map((check) => check(seen)), ...always(seen)];
      const works = profile === 'down' || (await answers(running, replicas));
      if (!works) faults.push('the proxy no longer works after it');
      faults.push(...running.faults());
      // What the proxy still tries for this case must not show in the next one.
      if (!works || seen.stuck !== undefined) {
        await running.stop();
        running = await contender.start(profile, ports);
      }
      return faults.filter((fault) => fault !== undefined);
    },
    close: async () => {
      replicas.close();
      await running.stop();
    },
  };
}

// What no proxy may ever do, whatever it was sent.
function always(seen: Outcome): (string | undefined)[] {
  return [
    seen.stuck === undefined ? undefined : `${seen.stuck} (client had ${JSON.stringify(seen.text.slice(0, 300))})`,
    seen.garbled === undefined ? undefined : `the client got no HTTP: ${seen.garbled}`,
    ...seen.connections.map(({ garbled }) => garbled && `a replica got no HTTP: ${garbled}`),
    seen.requests.some((request) => request.startLine.includes('smuggled'))
      ? 'a request from inside a body reached the replica'
      : undefined,
  ];
}

async function perform(one: Case, running: Running, replicas: Replicas): Promise<Outcome> {
  let text = '';
  let ended: Outcome['ended'] = 'open';
  let onChange = () => {};
  replicas.begin(one, () => text);
  replicas.onChange = () => onChange();
  const methods = one.methods ?? firstMethods(one);
  const socket = net.connect({ port: running.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
    replicas.changed();
  });
  socket.on('end', () => {
    if (ended === 'open') ended = 'closed';
    onChange();
  });
  socket.on('error', () => {
    if (ended === 'open') ended = 'reset';
    onChange();
  });
  const deadline = performance.now() + LIMIT_MS;
  let stuck: string | undefined;
  const until = async (endMs: number, holds: () => boolean): Promise<boolean> => {
    while (!holds()) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        onChange = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return true;
  };
  const wait = async (what: string, holds: () => boolean) => {
    if (!(await until(deadline, holds))) stuck ??= `waited for ${what}`;
  };
  const received = () => replicas.seen().map((side) => side.text);
  const holds: Record<string, (step: never) => boolean> = {
    until: ({ until }: { until: RegExp }) => until.test(text) || ended !== 'open',
    replies: ({ replies }: { replies: number }) => finals(text, methods) >= replies || ended !== 'open',
    replicaHas: ({ replicaHas }: { replicaHas: RegExp }) => received().some((one) => replicaHas.test(one)),
  };
  let left = false;
  for (const step of typeof one.client === 'string' ? [one.client] : one.client) {
    if (step === 'leave') left = true;
    else if (step === 'replica-ends')
      await wait('the replica’s end', () => replicas.seen().every((side) => side.ended));
    else if (typeof step === 'string') act(socket, step);
    else if ('pauseMs' in step) await pause(step.pauseMs);
    else {
      const [kind = ''] = Object.keys(step);
      await wait(
        JSON.stringify(step, (_, value) => (value instanceof RegExp ? `${value}` : value)),
        () => (holds[kind] as (step: ClientStep) => boolean)(step),
      );
    }
  }
  if (!left) await wait('the end of the connection', () => ended !== 'open');
  // A proxy may tell its replica a little later that the client has gone.
  const settled = () => replicas.seen().every((side) => side.ended || side.requests.every(({ complete }) => complete));
  await until(performance.now() + SETTLE_MS, settled);
  const { replies, garbled } = readReplies(text, methods, ended !== 'open');
  const connections = replicas.seen();
  socket.destroy();
  return {
    ...{ text, replies, garbled, ended, stuck, connections },
    requests: connections.flatMap((side) => side.requests),
  };
}

function act(socket: net.Socket, step: string): void {
  if (step === 'half-close') socket.end();
  else if (step === 'reset') socket.resetAndDestroy();
  else socket.write(step, 'latin1');
}

function firstMethods(one: Case): readonly string[] {
  const first = typeof one.client === 'string' ? one.client : one.client.find((step) => typeof step === 'string');
  return [/^[A-Z]+/.exec(first ?? '')?.[0] ?? 'GET'];
}

function finals(text: string, methods: readonly string[]): number {
  return readReplies(text, methods, false).replies.filter((reply) => reply.complete && statusOf(reply) >= 200).length;
}

function readReplies(text: string, methods: readonly string[], ended: boolean) {
  const replies: Message[] = [];
  let rest = text;
  let finalReplies = 0;
  try {
    while (rest !== '') {
      const method = methods[Math.min(finalReplies, methods.length - 1)] ?? 'GET';
      const reply = readReply(rest, method, ended);
      if (reply === undefined) break;
      replies.push(reply);
      if (statusOf(reply) >= 200) finalReplies += 1;
      if (!reply.complete || statusOf(reply) === 101) break;
      rest = reply.rest;
    }
  } catch (error) {
    if (!(error instanceof Garbled)) throw error;
    return { replies, garbled: error.message };
  }
  return { replies, garbled: undefined };
}

// Closes the connections of a case and checks that a plain request passes. Its reply shows that the proxy has seen them
// close.
async function answers(running: Running, replicas: Replicas): Promise<boolean> {
  replicas.clear();
  replicas.onChange = () => undefined;
  replicas.begin({ answers: ['HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nalive'] }, () => '');
  const socket = net.connect({ port: running.port, host: '127.0.0.1' });
  const alive = await new Promise<boolean>((resolve) => {
    let text = '';
    socket.setTimeout(LIMIT_MS, () => resolve(false));
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text.endsWith('alive')) resolve(true);
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
    socket.write('GET /alive HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  });
  socket.destroy();
  replicas.clear();
  return alive;
}
