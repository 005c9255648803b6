// Runs A-3: a steady load with a key in every request, under which one replica is killed, one hung and one removed.
// Before each fault the program is asked which keys lead to the replica, to see when they are first served elsewhere.

import { setTimeout as sleep } from 'node:timers/promises';
import { aim, type FaultKind } from './harness/faults.ts';
import { type SteadyLoad, startSteadyLoad } from './harness/load.ts';
import { type Program, startProgram } from './harness/program.ts';
import type { EndpointCall, Fault, RecoverySamples, Runtime } from './samples.ts';
import type { RecoveryPlan } from './scenarios.ts';

interface Call {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** The answer never ends, so its first event is taken instead. */
  readonly streams?: true;
}

// Every endpoint of the replicas and of the balancer, including requests that have to be refused.
const CALLS: readonly Call[] = [
  { method: 'GET', path: '/home' },
  { method: 'GET', path: '/heartbeat' },
  { method: 'GET', path: '/' },
  { method: 'GET', path: '/sample' },
  { method: 'GET', path: '/api/votes' },
  { method: 'POST', path: '/api/vote', body: { option: 'helm' } },
  { method: 'GET', path: '/api/votes/stream', streams: true },
  { method: 'GET', path: '/rep' },
  { method: 'POST', path: '/add?dry-run', body: { n: 1, hostnames: ['guest'] } },
  { method: 'POST', path: '/add', body: { n: 1, hostnames: ['guest'] } },
  { method: 'POST', path: '/add', body: { n: 1, hostnames: ['one', 'two'] } },
  { method: 'GET', path: '/other' },
  { method: 'GET', path: '/balancer/' },
  { method: 'GET', path: '/balancer/events', streams: true },
  { method: 'GET', path: '/balancer/ring' },
  { method: 'POST', path: '/balancer/explain', body: { path: '/home?key=1' } },
  { method: 'POST', path: '/balancer/kill', body: { hostname: 'nobody' } },
  { method: 'DELETE', path: '/rm?dry-run', body: { n: 1, hostnames: ['guest'] } },
  { method: 'DELETE', path: '/rm', body: { n: 1, hostnames: ['guest'] } },
  { method: 'DELETE', path: '/rm', body: { n: 1, hostnames: ['one', 'two'] } },
];

const pathOf = (key: number) => `/home?key=${key}`;
const NEWS_LIMIT_MS = 15_000;
const AFTERWARDS_MS = 1000;
const ASKED_AT_ONCE = 8;
const MAX_ANSWER = 160;

export async function runRecovery(plan: RecoveryPlan, runtime: Runtime): Promise<Omit<RecoverySamples, 'environment'>> {
  const { hash, perSecond } = plan;
  // Only the bound on load sends requests past a hung replica. It is off by default if a key is given, so it is set
  // here.
  const key = ['--key', 'query:key,request', '--balance-factor', '1.25'];
  const options = ['--replicas', String(plan.replicas), '--hash', hash, '--runtime', runtime, ...key];
  const program = await startProgram(options);
  try {
    const endpoints = await callEndpoints(program);
    const load = startSteadyLoad(program.url, perSecond, pathOf);
    // After one second every connection has begun.
    await sleep(1000 + plan.leadMs);
    const faults: Fault[] = [];
    for (const { kind, lastsMs } of plan.faults) {
      faults.push(await playFault(kind, lastsMs, program, load, perSecond, runtime));
    }
    const requests = await load.stop();
    return { hash, perSecond, replicas: load.replicas, faults, requests, endpoints };
  } finally {
    await program.stop();
  }
}

async function playFault(
  kind: FaultKind,
  lastsMs: number,
  program: Program,
  load: SteadyLoad,
  perSecond: number,
  runtime: Runtime,
): Promise<Fault> {
  const { message } = JSON.parse((await program.call('GET', '/rep')).text);
  const replica = message.replicas[0] as string;
  const keys = await keysOf(replica, program, perSecond);
  const sinceStart = (time: string) => Date.parse(time) - load.epochMs;
  const limit = AbortSignal.timeout(NEWS_LIMIT_MS);
  const strike = await aim(kind, program, replica, runtime);
  const struckMs = Date.now();
  const ends = sleep(lastsMs);
  await strike();
  const gone = kind === 'rm' ? 'replica-leaving' : 'replica-lost';
  const told = await program.logged((line) => line.event === gone && line.hostname === replica, limit);
  const detected = { kind, replica, atMs: struckMs - load.epochMs, keys, detectedMs: sinceStart(told.time) };
  if (kind === 'rm') {
    await ends;
    return { ...detected, endMs: Date.now() - load.epochMs };
  }
  const next = await program.logged(
    (line) => line.event === 'replica-serving' && line.seat === told.seat && line.time >= told.time,
    limit,
  );
  // Goes on for a while, so that the replacement can be seen at work.
  await Promise.all([ends, sleep(AFTERWARDS_MS)]);
  const replaced = { replacement: next.hostname as string, replacedMs: sinceStart(next.time) };
  return { ...detected, ...replaced, endMs: Date.now() - load.epochMs };
}

async function keysOf(replica: string, program: Program, keys: number): Promise<number[]> {
  const owned: number[] = [];
  let next = 0;
  const ask = async () => {
    while (next < keys) {
      const key = next++;
      const { text } = await program.call('POST', '/balancer/explain', { path: pathOf(key) });
      if (JSON.parse(text).owner === replica) owned.push(key);
    }
  };
  await Promise.all(Array.from({ length: ASKED_AT_ONCE }, ask));
  return owned.sort((a, b) => a - b);
}

// Calls each endpoint once before the load, so that the fleet is as large afterwards as before.
async function callEndpoints(program: Program): Promise<EndpointCall[]> {
  const answers: EndpointCall[] = [];
  for (const { method, path, body, streams } of CALLS) {
    const called = streams ? program.firstEvent(path) : program.call(method, path, body);
    const { status, text } = await called;
    const answer = text.length > MAX_ANSWER ? `${text.slice(0, MAX_ANSWER)}…` : text;
    answers.push({
      request: `${method} ${path}${body === undefined ? '' : ` ${JSON.stringify(body)}`}`,
      status,
      answer,
    });
  }
  return answers;
}
