// Other programs that run beside ours, before it or behind it: nginx, HAProxy, Caddy, proxies on Node, and anything
// else that listens on a port. Each gets a port and a directory. How to set one up is told here, once; what it is for
// is up to the caller.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { endOf, endWithUs } from './children.ts';
import { accepts, freePort } from './ports.ts';

const NODE_PROXIES = fileURLToPath(new URL('node-proxies.ts', import.meta.url));
const LISTEN_LIMIT_MS = 10_000;
const MOST_ERRORS = 4096;

/** The PATH, and where Debian keeps daemons, which is often not in a user's PATH. */
export const SEARCH_PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin`;

/** What a peer is started with. */
export interface Setup {
  readonly port: number;
  /** A directory of the peer's own, for its files. */
  readonly directory: string;
}

/** How a program is started. */
export interface PeerKind<S extends Setup = Setup> {
  readonly words: (setup: S) => readonly string[];
  readonly environment?: (setup: S) => Readonly<Record<string, string>>;
  /** Files to write into its directory, by name. */
  readonly files?: (setup: S) => Readonly<Record<string, string>>;
}

export interface Peer {
  readonly port: number;
  readonly directory: string;
  readonly process: ChildProcess;
  /** The end of what the peer has written on standard error. */
  errors(): string;
  stop(): Promise<void>;
}

/** Whether the command is installed. */
export function isInstalled(command: string): boolean {
  return SEARCH_PATH.split(':').some((folder) => existsSync(join(folder, command)));
}

/** For the `skip` of a test that needs the command: the reason, or `false` if it is installed. */
export function unlessInstalled(command: string): string | false {
  return isInstalled(command) ? false : `${command} is not installed`;
}

/**
 * Starts a peer and resolves when it listens. Rejects with what it wrote if it ends first or takes over ten seconds.
 */
export async function startPeer<More extends object>(kind: PeerKind<Setup & More>, more: More): Promise<Peer> {
  const peer = await beginPeer(kind, more);
  try {
    await untilListens(peer);
  } catch (error) {
    await peer.stop();
    throw error;
  }
  return peer;
}

/**
 * Starts a peer in a directory and on a port of its own, without waiting for it to listen.
 * @param before holds words in front of the command, such as those that pin it to a core.
 */
export async function beginPeer<More extends object>(
  kind: PeerKind<Setup & More>,
  more: More,
  before: readonly string[] = [],
): Promise<Peer> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-peer-'));
  // An nginx started by root reads and writes as another user.
  await chmod(directory, 0o755);
  const setup = { ...more, directory, port: await freePort() };
  for (const [name, text] of Object.entries(kind.files?.(setup) ?? {})) await writeFile(join(directory, name), text);
  const [command = '', ...args] = [...before, ...kind.words(setup)];
  const env = { ...process.env, PATH: SEARCH_PATH, ...kind.environment?.(setup) };
  const child = endWithUs(spawn(command, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'], env }));
  let errors = '';
  const note = (said: unknown) => {
    errors = (errors + said).slice(-MOST_ERRORS);
  };
  child.stderr.on('data', note);
  child.on('error', note);
  const stop = async () => {
    await endOf(child);
    await rm(directory, { recursive: true, force: true });
  };
  return { port: setup.port, directory, process: child, errors: () => errors, stop };
}

/**
 * Resolves once the peer listens, which only a connection can show. Rejects if it ends first or takes over ten seconds,
 * or whatever `withinMs` says.
 */
export async function untilListens(
  { port, process: child, errors }: Peer,
  withinMs: number = LISTEN_LIMIT_MS,
): Promise<void> {
  const limitMs = performance.now() + withinMs;
  while (
    performance.now() < limitMs &&
    child.pid !== undefined &&
    child.exitCode === null &&
    child.signalCode === null
  ) {
    if (await accepts(port)) return;
    await sleep(20);
  }
  throw new Error(`${said(child.spawnargs)} does not listen on port ${port}: ${errors()}`);
}

// A list of replicas may be long.
function said(words: readonly string[]): string {
  return words
    .slice(0, 8)
    .map((word) => word.slice(0, 100))
    .join(' ');
}

/** An nginx with that inside its `http { … }`. It keeps its files in its directory. */
export function nginx<S extends Setup>(http: (setup: S) => string, workers = 1): PeerKind<S> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return {
    words: ({ directory }) => ['nginx', '-e', 'stderr', '-p', directory, '-c', `${directory}/nginx.conf`],
    files: (setup) => ({
      'nginx.conf': `worker_processes ${workers};
daemon off;
pid nginx.pid;
error_log stderr crit;
events { worker_connections 8192; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${name};`).join(' ')}
  ${http(setup)}
}
`,
    }),
  };
}

export function haproxy<S extends Setup>(config: (setup: S) => string): PeerKind<S> {
  return {
    words: ({ directory }) => ['haproxy', '-db', '-f', `${directory}/haproxy.cfg`],
    files: (setup) => ({ 'haproxy.cfg': `${config(setup)}\n` }),
  };
}

/** A Caddy with those sites and without its admin port. */
export function caddy<S extends Setup>(sites: (setup: S) => string): PeerKind<S> {
  return {
    words: ({ directory }) => ['caddy', 'run', '--config', `${directory}/Caddyfile`, '--adapter', 'caddyfile'],
    // Caddy stores the configuration that it was given.
    environment: ({ directory }) => ({ GOMAXPROCS: '1', XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory }),
    files: (setup) => ({
      Caddyfile: `{\n  admin off\n  auto_https off\n  default_bind 127.0.0.1\n}\n${sites(setup)}\n`,
    }),
  };
}

/** One of the proxies in node-proxies.ts. */
export function nodeProxy<S extends Setup & { readonly backends: readonly string[] }>(kind: string): PeerKind<S> {
  return {
    words: ({ port, backends }) => [
      process.execPath,
      '--no-deprecation',
      NODE_PROXIES,
      kind,
      String(port),
      ...backends,
    ],
  };
}
