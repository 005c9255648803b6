// Upgrades of the running program: the process changes, the program stays.

import { spawn } from 'node:child_process';
import http from 'node:http';
import type { Answer, Program } from './program.ts';

export interface Upgraded {
  readonly pid: number;
  readonly before: number;
  readonly replicas: number;
  readonly sockets: number;
  readonly connections: number;
}

/** How the process before has ended. */
export interface EndOfBefore {
  readonly pid: number;
  readonly connections: number;
  readonly lost: number;
  readonly phase: string;
}

/** Has another process take over, and sees to it that it ends with this one. Throws with the answer if it does not. */
export async function upgrade(program: Program): Promise<Upgraded> {
  const { status, text } = await askOnce(program, 'POST', '/balancer/upgrade');
  if (status !== 200) throw new Error(text);
  const upgraded = JSON.parse(text).message as Upgraded;
  endPidWithUs(upgraded.pid);
  return upgraded;
}

/** Resolves when the process before has ended, with what it says of its end. */
export async function endOfBefore(program: Program, pid: number): Promise<EndOfBefore> {
  const line = await program.logged(({ event, pid: of }) => event === 'process-before-ended' && of === pid);
  return line as unknown as EndOfBefore;
}

/** Ends the process that serves now, in order, and resolves when it has ended. */
export async function stopNewest(program: Program): Promise<void> {
  const newest = program.log.findLast(({ event }) => event === 'replaced')?.pid as number | undefined;
  if (newest === undefined) {
    await program.stop();
    return;
  }
  const closed = program.logged(({ event }) => event === 'closed');
  process.kill(newest, 'SIGTERM');
  await closed.catch(() => undefined);
}

/** One request on a connection of its own, which does not stay behind as those of `fetch` do. */
export function askOnce({ port }: Pick<Program, 'port'>, method: string, path: string, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Length': Buffer.byteLength(body) };
    const request = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.once('error', reject).end(body);
  });
}

// It is no child of this process. As endWithUs does.
function endPidWithUs(pid: number): void {
  spawn('sh', ['-c', 'read -r _; kill "$0" 2>/dev/null', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  }).unref();
}
