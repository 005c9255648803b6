// Runs the real program as a child process, as a user would: `node lib/main.ts` on a port that it picks itself, with
// its log.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endWithUs } from './children.ts';

const EVENT_LIMIT_MS = 5000;
const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));

export interface LogLine {
  readonly time: string;
  readonly event: string;
  readonly [detail: string]: unknown;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface Program {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  readonly process: ChildProcess;
  /** What the program has logged so far. */
  readonly log: readonly LogLine[];
  /** What the program has printed so far. */
  output(): string;
  /**
   * Resolves with the first line of the log, past or future, that fits. Rejects if the program ends first or `signal`
   * is aborted.
   */
  logged(fits: (line: LogLine) => boolean, signal?: AbortSignal): Promise<LogLine>;
  /** Resolves with the exit code or the signal. */
  readonly exited: Promise<number | string>;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** GET, with the answer parsed as JSON. */
  json(path: string, init?: RequestInit): Promise<{ status: number; body: unknown }>;
  hostnames(): Promise<string[]>;
  /** Opens a stream of server-sent events and closes it after the first one. */
  firstEvent(path: string): Promise<Answer>;
  /** Sends SIGTERM and resolves when the program has ended. */
  stop(): Promise<void>;
}

/** How the process is started. */
export interface ProgramStart {
  /** Words in front of the command, such as those that pin it to a core. */
  readonly before?: readonly string[];
  /** Flags for Node. */
  readonly nodeFlags?: readonly string[];
  /** What is run in place of `node lib/main.ts`. */
  readonly command?: readonly string[];
  /** How many files the program may have open; by default as many as this process. */
  readonly descriptors?: number;
}

/** Starts the program and resolves when it says that it listens. Rejects with its output if it ends first. */
export async function startProgram(
  args: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
  { before = [], nodeFlags = [], command = [process.execPath, ...nodeFlags, MAIN], descriptors }: ProgramStart = {},
): Promise<Program> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-program-'));
  const limit = descriptors === undefined ? [] : ['bash', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'ringmaster'];
  const words = [...command, '--port', '0', '--state-dir', directory, ...args];
  const [file = '', ...parameters] = [...before, ...limit, ...words];
  // Whoever runs us may want colours in what we print. What the program prints is read here.
  const { FORCE_COLOR: _, ...inherited } = process.env;
  // The sample service keeps its votes there.
  const env = { ...inherited, DATA_DIR: directory, ...environment };
  const child = endWithUs(spawn(file, parameters, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
  const heard = listen(child);
  const exited = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
  });
  void exited.then(() => rm(directory, { recursive: true, force: true }));
  // The last output may be read after the exit, so this also waits for the end of the streams.
  const ended = new Promise<never>((_, reject) => {
    const fail = (how: unknown) => reject(new Error(`the balancer ended with ${how}: ${heard.errors()}`));
    child.once('error', fail).once('close', (code, signal) => fail(code ?? signal));
  });
  ended.catch(() => undefined);
  const port = await Promise.race([heard.port, ended]);
  const url = `http://127.0.0.1:${port}`;
  const json = async (path: string, init?: RequestInit) => {
    const response = await fetch(url + path, init);
    return { status: response.status, body: await response.json() };
  };
  return {
    url,
    port,
    pid: child.pid as number,
    process: child,
    log: heard.log,
    output: heard.output,
    logged: (fits, signal) => Promise.race([heard.first(fits, signal), ended]),
    exited,
    call: async (method, path, body) => {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      const response = await fetch(url + path, init);
      return { status: response.status, text: await response.text() };
    },
    json,
    hostnames: async () => ((await json('/rep')).body as { message: { replicas: string[] } }).message.replicas,
    firstEvent: (path) => firstEvent(url + path),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function firstEvent(url: string): Promise<Answer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(EVENT_LIMIT_MS) });
  let text = '';
  for await (const bytes of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += bytes;
    const end = text.indexOf('\n\n');
    // Leaving the loop closes the stream.
    if (end !== -1) return { status: response.status, text: text.slice(0, end) };
  }
  return { status: response.status, text };
}

function listen(child: ChildProcess) {
  const log: LogLine[] = [];
  const waiting = new Set<(line: LogLine) => void>();
  let output = '';
  let errors = '';
  let rest = '';
  const port = new Promise<number>((resolve) => {
    child.stdout?.on('data', (bytes) => {
      output += bytes;
      // Waits for the whole greeting, so that all of it can be read at once.
      const [, found] = /listens on http:\/\/\S+:(\d+)\n[\s\S]*stop: Ctrl-C\n/.exec(output) ?? [];
      if (found !== undefined) resolve(Number(found));
    });
  });
  child.stderr?.on('data', (bytes) => {
    errors += bytes;
    const lines = (rest + bytes).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((one) => one.startsWith('{'))) {
      const parsed = JSON.parse(line) as LogLine;
      log.push(parsed);
      for (const tell of waiting) tell(parsed);
    }
  });
  const first = (fits: (line: LogLine) => boolean, signal?: AbortSignal) =>
    new Promise<LogLine>((resolve, reject) => {
      const found = log.find(fits);
      if (found !== undefined) {
        resolve(found);
        return;
      }
      const tell = (line: LogLine) => {
        if (!fits(line)) return;
        waiting.delete(tell);
        resolve(line);
      };
      waiting.add(tell);
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  return { log, port, first, output: () => output, errors: () => errors };
}
