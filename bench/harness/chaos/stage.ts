// What a chaos run is played on: the real program with replicas that write down what they do, its configuration file, a
// way into it, and a look at whether its fleet is whole.

import { execFile } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type LogLine, type Program, startProgram } from '../program.ts';
import { askOnce } from '../upgrades.ts';
import { type Happening, monotonicMs } from './history.ts';

const REPLICA = fileURLToPath(new URL('replica.js', import.meta.url));
const INSIDE = new URL('inside.js', import.meta.url).href;
const LOOK_MS = 50;
const ASK_LIMIT_MS = 5000;
const UPGRADE_LIMIT_MS = 30_000;
/** Lines of the log that the judge reads. */
const TELLING = new Set(['replica-serving', 'replica-lost', 'replica-leaving', 'worker-lost', 'uncaught']);

export const run = promisify(execFile);

/** The options of the program under test that the judge goes by, in the groups of its configuration file. */
export const OPTIONS = {
  service: { log: 'info', grace: '3s' },
  health: { 'heartbeat-interval': '200ms', 'heartbeat-timeout': '500ms' },
  requests: { 'reply-timeout': '5s', 'request-timeout': '15s', 'max-attempts': 3, 'retry-budget': 0.2 },
  'connections-to-replicas': { 'replica-idle-timeout': '1s' },
  'access-log': { 'access-log': 'all' },
} as const;

export interface Stage {
  readonly directory: string;
  readonly program: Program;
  readonly wanted: number;
  /** The process that serves now. */
  pid: number;
  /** Another process has taken its place. */
  served(pid: number): void;
  note(happening: Happening): void;
  /** Replaces options of the file, by groups; those that are not named are as at the start. */
  configure(options: Readonly<Record<string, object>>): Promise<void>;
  /** Asks the balancer. Throws what its answer says if that is not 200. */
  call(method: string, path: string, body?: object): Promise<string>;
  hostnames(): Promise<string[]>;
  /** The process of the latest replica of that name. */
  replica(who: string): { readonly life: string; readonly pid: number };
  /** Resolves when the fleet is whole and nothing leaves any more, or with `false` when the signal aborts. */
  whole(signal: AbortSignal): Promise<boolean>;
  /** What the thread says to a deed of inside.js; the main thread is 0. */
  inside(thread: number, deed: string, value?: number): Promise<unknown>;
  /** Learns from the log which process serves now, after an upgrade whose answer was lost. */
  findPid(): Promise<void>;
  /** The numbers of the worker threads. */
  workers(): number[];
  /** Reads the log until the end. */
  stop(): Promise<void>;
}

export interface StageTerms {
  /** Replicas write down only that they came up. */
  readonly isQuiet?: boolean;
  readonly replicas: number;
  readonly workers: number;
}

export async function setStage({ replicas, workers, isQuiet = false }: StageTerms): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-chaos-'));
  await mkdir(join(directory, 'orders'));
  await writeFile(join(directory, 'access.log.file'), '');
  await symlink('access.log.file', join(directory, 'access.log'));
  const configPath = join(directory, 'ringmaster.json');
  const configure = async (options: Readonly<Record<string, object>>) => {
    const groups = new Set([...Object.keys(OPTIONS), ...Object.keys(options)]);
    const merged = [...groups].map((name) => [
      name,
      { ...(OPTIONS as Readonly<Record<string, object>>)[name], ...options[name] },
    ]);
    await writeFile(configPath, JSON.stringify(Object.fromEntries(merged)));
  };
  await configure({});
  const args = ['--config', configPath, '--workers', String(workers), '--replicas', String(replicas)];
  const log = ['--access-log-file', join(directory, 'access.log'), '--replica-output', 'off'];
  const program = await startProgram(
    [...args, ...log, '--', process.execPath, REPLICA],
    { CHAOS_DIR: directory, CHAOS_HISTORY: isQuiet ? 'none' : 'all' },
    { nodeFlags: ['--disable-sigusr1', '--expose-gc', '--import', INSIDE] },
  );
  const note = (happening: Happening) =>
    appendFileSync(join(directory, 'happenings.jsonl'), `${JSON.stringify(happening)}\n`);
  const stopFollowing = followLog(program, note);
  const call = async (method: string, path: string, body?: object) => {
    const { status, text } = await askOnce(program, method, path, body === undefined ? '' : JSON.stringify(body));
    if (status !== 200) throw new Error(`${method} ${path} was answered with ${status}: ${text}`);
    return text;
  };
  const known = new Set<unknown>([program.pid]);
  const stage: Stage = {
    ...{ directory, program, wanted: replicas, pid: program.pid, note, configure, call },
    hostnames: async () => JSON.parse(await call('GET', '/rep')).message.replicas,
    replica: (who) => replicaOf(directory, who),
    whole: async (signal) => {
      while (!signal.aborted) {
        if (await isWhole(stage).catch(() => false)) return true;
        await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
      }
      return false;
    },
    inside: (thread, deed, value) => askInside(join(directory, `inside-${stage.pid}-${thread}`), deed, value),
    findPid: async () => {
      const isNews = ({ event, pid }: LogLine) => event === 'replaced' && !known.has(pid);
      stage.served((await program.logged(isNews, AbortSignal.timeout(UPGRADE_LIMIT_MS))).pid as number);
    },
    served: (pid) => {
      known.add(pid);
      stage.pid = pid;
    },
    workers: () =>
      readdirSync(directory)
        .flatMap((name) => new RegExp(`^inside-${stage.pid}-(\\d+)$`).exec(name)?.slice(1).map(Number) ?? [])
        .filter((thread) => thread > 0),
    stop: async () => {
      if (stage.pid === program.pid) await program.stop();
      else await endOfTaken(program, stage.pid);
      stopFollowing();
    },
  };
  return stage;
}

/** Takes away what a run has written. */
export async function removeTraces({ directory }: Pick<Stage, 'directory'>): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

async function endOfTaken(program: Program, pid: number): Promise<void> {
  const closed = program.logged(({ event }) => event === 'closed');
  process.kill(pid, 'SIGTERM');
  await closed.catch(() => undefined);
}

// The log tells the wall clock's time, which a fault moves, so lines count from when they are read.
function followLog({ log }: Program, note: (happening: Happening) => void): () => void {
  let read = 0;
  const look = () => {
    for (; read < log.length; read++) {
      const { event, hostname = '', reason = '' } = log[read] as { event: string; hostname?: string; reason?: string };
      if (TELLING.has(event)) note({ is: 'log', event, who: hostname, atMs: monotonicMs(), words: reason });
    }
  };
  const looking = setInterval(look, LOOK_MS / 2);
  return () => {
    clearInterval(looking);
    look();
  };
}

async function isWhole({ call, wanted }: Stage): Promise<boolean> {
  const text = await call('GET', '/balancer/metrics');
  const value = (metric: string) => Number(new RegExp(`^${metric} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
  const leaving = [...text.matchAll(/^ringmaster_replicas_leaving\{.*\} (\d+)$/gm)].some(([, count]) => count !== '0');
  const serving = value('ringmaster_seats\\{state="serving"\\}');
  return serving === wanted && value('ringmaster_seats_wanted') === wanted && !leaving;
}

function replicaOf(directory: string, who: string): { life: string; pid: number } {
  const lives = readdirSync(directory)
    .filter((name) => name.startsWith(`replica-${who}.`))
    .map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8').split('\n', 1)[0] as string))
    .sort((a, b) => b.atMs - a.atMs);
  if (lives[0] === undefined) throw new Error(`there was no replica ${who}`);
  return lives[0];
}

/** Has a thread of a program that has loaded inside.js do something. @param path of its socket. */
export function askInside(path: string, deed: string, value = 0): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path, () => socket.write(JSON.stringify({ deed, value })));
    let text = '';
    socket.on('data', (piece) => {
      text += piece;
    });
    socket.once('error', reject);
    socket.setTimeout(ASK_LIMIT_MS, () => socket.destroy(new Error(`${path} did not answer`)));
    socket.once('close', () => (text === '' ? reject(new Error(`${path} said nothing`)) : resolve(JSON.parse(text))));
  });
}
