// Who is compared in the speed experiment: how each is started in front of the two backends, on one core's worth of threads, and
// what has to be installed for it. A new one is one more row.

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isInstalled, versionOf } from './machine.ts';

export const OURS = 'ringmaster';

/** Sockets joined in Node, with nothing parsed. */
export const FLOOR = 'bare sockets (the floor)';

/** Behind the names of those that reach the backends over them; the others do so over TCP. */
export const BY_UNIX = ' (Unix sockets)';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** What a contender is told. */
export interface Setup {
  readonly port: number;
  /** `host:port` or `unix:/path`. */
  readonly backends: readonly string[];
  /** Its own, for its files. */
  readonly directory: string;
}

export interface Contender {
  readonly name: string;
  readonly reach: 'tcp' | 'unix';
  /** Neither a program nor a package: it is here. */
  readonly needs?: { readonly command: string; readonly versionFlag: string } | { readonly package: string };
  readonly words: (setup: Setup) => readonly string[];
  readonly environment?: (setup: Setup) => Readonly<Record<string, string>>;
  /** Files to write into its directory, by name. */
  readonly files?: (setup: Setup) => Readonly<Record<string, string>>;
}

export const CONTENDERS: readonly Contender[] = [
  { name: OURS, reach: 'tcp', words: ringmaster },
  { name: OURS + BY_UNIX, reach: 'unix', words: ringmaster },
  { name: 'nginx', reach: 'tcp', needs: { command: 'nginx', versionFlag: '-v' }, words: nginx, files: nginxFiles },
  {
    name: `nginx${BY_UNIX}`,
    reach: 'unix',
    needs: { command: 'nginx', versionFlag: '-v' },
    words: nginx,
    files: nginxFiles,
  },
  {
    name: 'HAProxy',
    reach: 'tcp',
    needs: { command: 'haproxy', versionFlag: '-v' },
    words: ({ directory }) => ['haproxy', '-db', '-f', `${directory}/haproxy.cfg`],
    files: haproxyFiles,
  },
  {
    name: 'Caddy',
    reach: 'tcp',
    needs: { command: 'caddy', versionFlag: 'version' },
    words: ({ directory }) => ['caddy', 'run', '--config', `${directory}/Caddyfile`, '--adapter', 'caddyfile'],
    // It writes down the configuration it was given.
    environment: ({ directory }) => ({ GOMAXPROCS: '1', XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory }),
    files: caddyFiles,
  },
  { name: FLOOR, reach: 'tcp', words: nodeProxy('floor') },
  { name: 'undici', reach: 'tcp', needs: { package: 'undici' }, words: nodeProxy('undici') },
  { name: 'httpxy', reach: 'tcp', needs: { package: 'httpxy' }, words: nodeProxy('httpxy') },
  { name: 'fast-proxy', reach: 'tcp', needs: { package: 'fast-proxy' }, words: nodeProxy('fast-proxy') },
  { name: 'http-proxy', reach: 'tcp', needs: { package: 'http-proxy' }, words: nodeProxy('http-proxy') },
];

/** Is it run by Node and reaches the backends over TCP, as the floor? One that does more should not cost less. */
export function standsOnFloor(name: string): boolean {
  const contender = CONTENDERS.find((one) => one.name === name);
  if (contender === undefined || contender.reach !== 'tcp') return false;
  return contender.needs === undefined || 'package' in contender.needs;
}

/** How to get a contender that is not installed; `undefined` if it is there. */
export function howToGet({ needs }: Contender): string | undefined {
  if (needs === undefined) return undefined;
  if ('command' in needs) return isInstalled(needs.command) ? undefined : `install ${needs.command}`;
  return existsSync(here(`node_modules/${needs.package}`)) ? undefined : 'npm run bench:peers';
}

/** The versions of what contenders need and is there. */
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

function ringmaster({ port, backends, directory }: Setup): readonly string[] {
  const options = ['--port', String(port), '--upstream', backends.join(','), '--data-dir', directory];
  return [process.execPath, here('../lib/main.ts'), ...options, '--heartbeat-path', 'off', '--log', 'off'];
}

function nodeProxy(kind: string): Contender['words'] {
  return ({ port, backends }) => [process.execPath, here('node-proxies.ts'), kind, String(port), ...backends];
}

function nginx({ directory }: Setup): readonly string[] {
  return ['nginx', '-e', '/dev/null', '-p', directory, '-c', `${directory}/nginx.conf`];
}

function nginxFiles({ port, backends }: Setup): Record<string, string> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return {
    'nginx.conf': `worker_processes 1;
daemon off;
pid nginx.pid;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 100000000;
  ${temporary.map((name) => `${name}_temp_path ${name};`).join(' ')}
  upstream backends {
    ${backends.map((backend) => `server ${backend};`).join(' ')}
    keepalive 128;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://backends;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}
`,
  };
}

function haproxyFiles({ port, backends }: Setup): Record<string, string> {
  return {
    'haproxy.cfg': `global
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
  balance roundrobin
${backends.map((backend, index) => `  server backend-${index + 1} ${backend}`).join('\n')}
`,
  };
}

function caddyFiles({ port, backends }: Setup): Record<string, string> {
  return {
    Caddyfile: `{
  admin off
  auto_https off
}
http://127.0.0.1:${port} {
  reverse_proxy ${backends.join(' ')} {
    lb_policy round_robin
  }
}
`,
  };
}
