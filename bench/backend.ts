// The services behind the contenders: two or more, the same for all, which name themselves at `/` and have bodies of
// fixed sizes. They are nginx if it is installed, since it costs the least, and otherwise a small server on Node
// (plain-backend.ts).

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beginPeer, isInstalled, nginx, type PeerKind, untilListens } from './harness/peers.ts';
import { freePorts } from './harness/ports.ts';
import { pinnedTo, versionOf } from './machine.ts';
import { BODIES_BYTES } from './scenarios.ts';

const PLAIN_BACKEND = fileURLToPath(new URL('plain-backend.ts', import.meta.url));
/** How many the contenders are compared with. */
export const BACKENDS = 2;

export interface Backends {
  /** The kind of backend, for people. */
  readonly what: string;
  /** As `host:port`. */
  readonly tcp: readonly string[];
  /** As `unix:/path`. */
  readonly unix: readonly string[];
  stop(): Promise<void>;
}

/** The path of the body of that size. */
export function bodyPath(bytes: number): string {
  return `/body-${bytes}`;
}

/** The body itself. Every byte depends on its position, so that misplaced bytes show. */
export function bodyOf(bytes: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: bytes }, (_, index) => 33 + ((index * 7 + (index >> 8)) % 90)));
}

/** @param core is the one that the backends run on. */
export async function startBackends(core: number, count: number = BACKENDS): Promise<Backends> {
  const ports = await freePorts(count);
  const byNginx = isInstalled('nginx');
  const kind = byNginx ? nginxBackends(ports) : plainBackends(ports);
  const peer = await beginPeer(kind, {}, pinnedTo(core));
  if (byNginx) await writeBodies(join(peer.directory, 'bodies'));
  for (const port of ports) await untilListens({ ...peer, port });
  return {
    what: byNginx ? `nginx ${versionOf('nginx', '-v')}` : 'a Node server',
    tcp: ports.map((port) => `127.0.0.1:${port}`),
    unix: ports.map((_, index) => `unix:${socketIn(peer.directory, index)}`),
    stop: () => peer.stop(),
  };
}

function socketIn(directory: string, index: number): string {
  return join(directory, `${index + 1}.sock`);
}

function plainBackends(ports: readonly number[]): PeerKind {
  const placesIn = (directory: string) => ports.map((port, index) => `${port},${socketIn(directory, index)}`);
  return { words: ({ directory }) => [process.execPath, PLAIN_BACKEND, ...placesIn(directory)] };
}

async function writeBodies(directory: string): Promise<void> {
  await mkdir(directory);
  for (const bytes of BODIES_BYTES) await writeFile(join(directory, bodyPath(bytes)), bodyOf(bytes));
}

function nginxBackends(ports: readonly number[]): PeerKind {
  return nginx(
    ({ directory }) => `sendfile on;
  open_file_cache max=16 inactive=1h;
  open_file_cache_valid 1h;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  ${ports
    .map(
      (port, index) => `server {
    listen 127.0.0.1:${port} backlog=4096;
    listen unix:${socketIn(directory, index)} backlog=4096;
    root bodies;
    default_type text/plain;
    location = / { return 200 "Hello from Server: backend-${index + 1}, which says no more than this.\\n"; }
  }`,
    )
    .join('\n  ')}`,
  );
}
