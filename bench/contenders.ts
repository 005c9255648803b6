// The contenders of the speed experiment: how each is started in front of the two backends, with as many threads as one
// core can run, and what has to be installed for it. A new contender is one more row.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { caddy, haproxy, isInstalled, nginx, nodeProxy, type PeerKind, type Setup } from './harness/peers.ts';
import { versionOf } from './machine.ts';

export const OURS = 'ringmaster';

/** Sockets connected to each other in Node, with nothing parsed. It shows the least that a proxy on Node can cost. */
export const FLOOR = 'bare sockets (the floor)';

/** Follows the names of contenders that reach the backends over Unix sockets; all others use TCP. */
export const BY_UNIX = ' (Unix sockets)';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** What a contender is started with. */
export interface ContenderSetup extends Setup {
  /** As `host:port` or `unix:/path`. */
  readonly backends: readonly string[];
}

export interface Contender {
  readonly name: string;
  readonly reach: 'tcp' | 'unix';
  /** What has to be installed; absent if the contender is part of this repository. */
  readonly needs?: { readonly command: string; readonly versionFlag: string } | { readonly package: string };
  readonly kind: PeerKind<ContenderSetup>;
}

const NGINX_NEEDS = { command: 'nginx', versionFlag: '-v' };
const HAPROXY_NEEDS = { command: 'haproxy', versionFlag: '-v' };
const NGINX = { needs: NGINX_NEEDS, kind: nginx((setup: ContenderSetup) => nginxConfig(setup)) };

export const CONTENDERS: readonly Contender[] = [
  { name: OURS, reach: 'tcp', kind: ringmaster() },
  { name: OURS + BY_UNIX, reach: 'unix', kind: ringmaster() },
  { name: 'nginx', reach: 'tcp', ...NGINX },
  { name: `nginx${BY_UNIX}`, reach: 'unix', ...NGINX },
  { name: 'HAProxy', reach: 'tcp', needs: HAPROXY_NEEDS, kind: haproxy((setup) => haproxyConfig(setup)) },
  { name: 'Caddy', reach: 'tcp', needs: { command: 'caddy', versionFlag: 'version' }, kind: caddy(caddySites) },
  { name: FLOOR, reach: 'tcp', kind: nodeProxy('floor') },
  { name: 'undici', reach: 'tcp', needs: { package: 'undici' }, kind: nodeProxy('undici') },
  { name: 'httpxy', reach: 'tcp', needs: { package: 'httpxy' }, kind: nodeProxy('httpxy') },
  { name: 'fast-proxy', reach: 'tcp', needs: { package: 'fast-proxy' }, kind: nodeProxy('fast-proxy') },
  { name: 'http-proxy', reach: 'tcp', needs: { package: 'http-proxy' }, kind: nodeProxy('http-proxy') },
];

/** The factor of its bound on load. */
export const BOUND = 1.25;

/** The one of `affinityContenders` that the others are compared with. */
export const BOUNDED = `${OURS} by prompt, bounded`;

/** Those that conversations with language models are played through; the first does not look at what is asked. */
export function affinityContenders(): Contender[] {
  const ours = (name: string, ...options: readonly string[]): Contender => {
    return { name, reach: 'tcp', kind: ringmaster(options) };
  };
  // By default nginx keeps the head of a reply until there is more of it.
  const atOnce = 'proxy_buffering off; client_body_buffer_size 128k;';
  const roundRobin = nginx<ContenderSetup>((setup) => nginxConfig(setup, atOnce));
  const leastInFlight = haproxy<ContenderSetup>((setup) => haproxyConfig(setup, 'leastconn'));
  return [
    { name: 'round robin (nginx)', reach: 'tcp', needs: NGINX_NEEDS, kind: roundRobin },
    { name: 'least in flight (HAProxy)', reach: 'tcp', needs: HAPROXY_NEEDS, kind: leastInFlight },
    ours(`dealt by id (${OURS})`),
    ours('plain ring by prompt', '--key', 'prompt', '--balance-factor', 'off'),
    ours(BOUNDED, '--key', 'prompt', '--balance-factor', String(BOUND)),
  ];
}

/** A contender with so many workers in front of so many replicas. */
export interface ScaleContender extends Contender {
  readonly workers: number;
  readonly replicas: number;
}

const FEW = 3;

/** Those that show what workers and many replicas cost. @param many replicas. */
export function scaleContenders(many: number): ScaleContender[] {
  const ours = (workers: number, replicas: number): ScaleContender => {
    const kind = ringmaster(['--workers', String(workers), ...(replicas === FEW ? [] : ringFor(replicas))]);
    return { name: OURS, reach: 'tcp', workers, replicas, kind };
  };
  const itsRival = (workers: number): ScaleContender => {
    const kind = nginx((setup: ContenderSetup) => nginxConfig(setup), workers);
    return { name: 'nginx', reach: 'tcp', needs: NGINX_NEEDS, workers, replicas: FEW, kind };
  };
  return [ours(1, FEW), ours(2, FEW), itsRival(1), itsRival(2), ours(1, many), ours(2, many)];
}

// Four virtual nodes for each replica.
function ringFor(replicas: number): readonly string[] {
  return ['--slots', String(4 * replicas), '--virtual-nodes', '4', '--max-replicas', String(replicas)];
}

/**
 * Whether the contender runs on Node and reaches the backends over TCP, as the floor does. It should then cost no less.
 */
export function standsOnFloor(name: string): boolean {
  const contender = CONTENDERS.find((one) => one.name === name);
  if (contender === undefined || contender.reach !== 'tcp') return false;
  return contender.needs === undefined || 'package' in contender.needs;
}

/** How to install a contender; `undefined` if it is installed. */
export function howToGet({ needs }: Contender): string | undefined {
  if (needs === undefined) return undefined;
  if ('command' in needs) return isInstalled(needs.command) ? undefined : `install ${needs.command}`;
  return existsSync(here(`node_modules/${needs.package}`)) ? undefined : 'npm run bench:peers';
}

/** The versions of what is installed for the contenders. */
export function contenderVersions(): Record<string, string> {
  return Object.fromEntries(
    CONTENDERS.flatMap((contender) => {
      const { needs } = contender;
      if (needs === undefined || howToGet(contender) !== undefined) return [];
      if ('command' in needs) return [[needs.command, versionOf(needs.command, needs.versionFlag) ?? 'unknown']];
      const about = readFileSync(here(`node_modules/${needs.package}/package.json`), 'utf8');
      return [[needs.package, JSON.parse(about).version]];
    }),
  );
}

function ringmaster(more: readonly string[] = []): PeerKind<ContenderSetup> {
  return {
    words: ({ port, backends }) => {
      const options = ['--port', String(port), '--upstream', backends.join(','), ...more];
      return [process.execPath, here('../lib/main.ts'), ...options, '--heartbeat-path', 'off', '--log', 'off'];
    },
  };
}

function nginxConfig({ port, backends }: ContenderSetup, more = ''): string {
  return `keepalive_requests 100000000;
  upstream backends {
    ${backends.map((backend) => `server ${backend};`).join(' ')}
    keepalive 128;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    ${more}
    location / {
      proxy_pass http://backends;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }`;
}

function haproxyConfig({ port, backends }: ContenderSetup, balance = 'roundrobin'): string {
  return `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  http-reuse always
frontend clients
  bind 127.0.0.1:${port}
  default_backend backends
backend backends
  balance ${balance}
${backends.map((backend, index) => `  server backend-${index + 1} ${backend}`).join('\n')}`;
}

function caddySites({ port, backends }: ContenderSetup): string {
  return `http://127.0.0.1:${port} {
  reverse_proxy ${backends.join(' ')} {
    lb_policy round_robin
  }
}`;
}
