// The real program as a child process, as a user starts it: `node lib/main.ts` on a port of its own choosing, with what it logs.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { endWithUs } from './children.ts';

const EVENT_LIMIT_MS = 5000;
const MAIN = fileURLToPath(new URL('../lib/main.ts', import.meta.url));

export interface LogLine {
  readonly time: string;
  readonly event: string;
  readonly hostname?: string;
  readonly seat?: number;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

export interface Program {
  readonly url: string;
  readonly pid: number;
  /** What it has logged so far. */
  readonly log: readonly LogLine[];
  /** Resolves with the first line, past or future, that fits; rejects if the program ends before or `signal` is aborted. */
  logged(fits: (line: LogLine) => boolean, signal: AbortSignal): Promise<LogLine>;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Begins a stream of server-sent events, and leaves it after the first one. */
  firstEvent(path: string): Promise<Answer>;
  /** SIGTERM, and the end of it. */
  stop(): Promise<void>;
}

/**
 * Starts it and resolves when it says that it listens. Rejects with its output if it ends before.
 * @param before words in front of the command, such as those that pin it to a core.
 * @param nodeFlags for the Node that runs it.
 */
export async function startProgram(
  args: readonly string[],
  before: readonly string[] = [],
  nodeFlags: readonly string[] = [],
): Promise<Program> {
  const dataDir = await mkdtemp(join(tmpdir(), 'ringmaster-bench-'));
  const words = [...before, process.execPath, ...nodeFlags, MAIN, '--port', '0', '--data-dir', dataDir, ...args];
  const child = endWithUs(spawn(words[0] as string, words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] }));
  const heard = listen(child);
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(String(code ?? signal)));
  });
  void exited.then(() => rm(dataDir, { recursive: true, force: true }));
  const ended = exited.then((how) => {
    throw new Error(`the balancer ended with ${how}: ${heard.errors()}`);
  });
  ended.catch(() => undefined);
  const url = await Promise.race([listeningUrl(child), ended]);
  return {
    url,
    pid: child.pid as number,
    log: heard.log,
    logged: (fits, signal) => Promise.race([heard.first(fits, signal), ended]),
    call: async (method, path, body) => {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      const response = await fetch(url + path, init);
      return { status: response.status, text: await response.text() };
    },
    firstEvent: (path) => firstEvent(url + path),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let output = '';
    child.stdout?.on('data', (bytes) => {
      output += bytes;
      const [, url] = /listens on (http:\/\/\S+)\n/.exec(output) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
}

async function firstEvent(url: string): Promise<Answer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(EVENT_LIMIT_MS) });
  let text = '';
  for await (const bytes of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += bytes;
    const end = text.indexOf('\n\n');
    // Leaving the loop ends the stream.
    if (end !== -1) return { status: response.status, text: text.slice(0, end) };
  }
  return { status: response.status, text };
}

function listen(child: ChildProcess) {
  const log: LogLine[] = [];
  const waiting = new Set<(line: LogLine) => void>();
  let errors = '';
  let rest = '';
  child.stderr?.on('data', (bytes) => {
    const lines = (rest + bytes).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.startsWith('{')) {
        errors += `${line}\n`;
        continue;
      }
      const parsed = JSON.parse(line) as LogLine;
      log.push(parsed);
      for (const tell of waiting) tell(parsed);
    }
  });
  const first = (fits: (line: LogLine) => boolean, signal: AbortSignal) =>
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
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  return { log, first, errors: () => errors + rest };
}
