// The services behind the contenders: two of them, the same for all, that name themselves at `/` and have bodies of set sizes. An
// nginx where there is one, since it costs the least; otherwise a Node of our own (plain-backend.ts).

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endOf, endWithUs } from './children.ts';
import { isInstalled, pinnedTo, versionOf } from './machine.ts';
import { BODIES_BYTES } from './scenarios.ts';

const PLAIN_BACKEND = fileURLToPath(new URL('plain-backend.ts', import.meta.url));
const LISTEN_LIMIT_MS = 10_000;

export interface Backends {
  /** What they are, for people. */
  readonly what: string;
  /** `host:port`. */
  readonly tcp: readonly string[];
  /** `unix:/path`. */
  readonly unix: readonly string[];
  stop(): Promise<void>;
}

/** Where a backend has its body of that size. */
export function bodyPath(bytes: number): string {
  return `/body-${bytes}`;
}

/** The body itself: every byte tells where it is, so that a mix-up shows. */
export function bodyOf(bytes: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, index) => 33 + ((index * 7 + (index >> 8)) % 90)));
}

export async function startBackends(core: number): Promise<Backends> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-backend-'));
  // An nginx that root started reads as another user.
  await chmod(directory, 0o755);
  const ports = await freePorts(2);
  const paths = ports.map((_, index) => join(directory, `${index + 1}.sock`));
  const byNginx = isInstalled('nginx');
  if (byNginx) await prepareNginx(directory, ports, paths);
  const words = byNginx
    ? ['nginx', '-e', '/dev/null', '-p', directory, '-c', join(directory, 'nginx.conf')]
    : [process.execPath, PLAIN_BACKEND, ...ports.map((port, index) => `${port},${paths[index]}`)];
  const [command = '', ...args] = [...pinnedTo(core), ...words];
  const child = endWithUs(spawn(command, args, { stdio: 'ignore' }));
  for (const port of ports) await untilListens(port, child);
  return {
    what: byNginx ? `nginx ${versionOf('nginx', '-v')}` : 'a Node server',
    tcp: ports.map((port) => `127.0.0.1:${port}`),
    unix: paths.map((path) => `unix:${path}`),
    stop: async () => {
      await endOf(child);
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** So many ports, each another, that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  for (const server of servers) if (!server.listening) await once(server, 'listening');
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Resolves once something listens there; rejects if `child` ends before, or after ten seconds. */
export async function untilListens(port: number, child: ChildProcess): Promise<void> {
  const limitMs = performance.now() + LISTEN_LIMIT_MS;
  while (performance.now() < limitMs && child.exitCode === null && child.signalCode === null) {
    const socket = connect(port, '127.0.0.1');
    const there = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (there) return;
    await sleep(20);
  }
  throw new Error(`${child.spawnargs.slice(0, 8).join(' ')} does not listen on port ${port}`);
}

async function prepareNginx(directory: string, ports: readonly number[], paths: readonly string[]): Promise<void> {
  await mkdir(join(directory, 'bodies'));
  for (const bytes of BODIES_BYTES) await writeFile(join(directory, 'bodies', bodyPath(bytes)), bodyOf(bytes));
  const server = (index: number) => `
  server {
    listen 127.0.0.1:${ports[index]} backlog=4096;
    listen unix:${paths[index]} backlog=4096;
    root bodies;
    default_type text/plain;
    location = / { return 200 "Hello from Server: backend-${index + 1}, which says no more than this.\\n"; }
  }`;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  await writeFile(
    join(directory, 'nginx.conf'),
    `worker_processes 1;
daemon off;
pid nginx.pid;
events { worker_connections 8192; }
http {
  access_log off;
  sendfile on;
  open_file_cache max=16 inactive=1h;
  open_file_cache_valid 1h;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  ${temporary.map((name) => `${name}_temp_path ${name};`).join(' ')}${ports.map((_, index) => server(index)).join('')}
}
`,
  );
}
