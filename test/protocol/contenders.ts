// The proxies that the cases are played against, each as a process of its own with the same replicas behind it, set up as its
// manual advises for a reverse proxy. Ours is the real program.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { accepts } from '../fixtures/accepts.ts';
import { freePort } from '../fixtures/free-port.ts';
import { startProgram } from '../fixtures/program.ts';
import type { Profile } from './case.ts';

export interface Running {
  readonly port: number;
  /** What it has said of itself since the last call that no proxy should say. */
  faults(): readonly string[];
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  readonly installed: boolean;
  start(profile: Profile, replicaPorts: readonly number[]): Promise<Running>;
}

const TIGHT: readonly string[] = [
  ...['reply', 'request', 'body', 'head', 'keep-alive', 'tunnel-idle'].flatMap((what) => [
    `--${what}-timeout`,
    '300ms',
  ]),
  ...['--max-body-size', '1000', '--max-requests-per-connection', '3'],
];

const SETTINGS: { readonly [profile in Profile]?: readonly string[] } = {
  tight: TIGHT,
  'half-close': ['--client-half-close', 'allow'],
};

export const ringmaster: Contender = {
  name: 'ringmaster',
  installed: true,
  start: async (profile, replicaPorts) => {
    const upstream = replicaPorts.map((port) => `127.0.0.1:${port}`).join(',');
    const options = ['--upstream', upstream, '--heartbeat-path', 'off', '--log', 'error'];
    const program = await startProgram([...options, ...(SETTINGS[profile] ?? [])]);
    let read = 0;
    return {
      port: program.port,
      faults: () => {
        const lines = program.log.slice(read);
        read = program.log.length;
        return lines
          .filter((line) => line.event === 'uncaught' || line.code === 'internal')
          .map((line) => `a mistake of its own: ${line.reason}`);
      },
      stop: () => program.stop(),
    };
  },
};

const NGINX = (dir: string, port: number, replicaPorts: readonly number[], tight: boolean) => `
daemon off; worker_processes 1; pid ${dir}/pid; error_log /dev/null crit;
events { worker_connections 1024; }
http {
  access_log off; client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f;
  uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream replicas { ${replicaPorts.map((one) => `server 127.0.0.1:${one} max_fails=0;`).join(' ')} keepalive 32; }
  ${tight ? 'client_header_timeout 300ms; proxy_read_timeout 300ms; client_max_body_size 1000;' : 'client_max_body_size 0;'}
  large_client_header_buffers 8 64k; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 64k;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://replicas; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }
  }
}`;

export const nginx: Contender = {
  name: 'nginx',
  installed: existsSync('/usr/sbin/nginx'),
  start: async (profile, replicaPorts) => {
    const [dir, port] = [await mkdtemp(join(tmpdir(), 'contender-nginx-')), await freePort()];
    await writeFile(join(dir, 'nginx.conf'), NGINX(dir, port, replicaPorts, profile === 'tight'));
    return startProcess(port, dir, '/usr/sbin/nginx', ['-p', dir, '-c', join(dir, 'nginx.conf')]);
  },
};

const HAPROXY = (port: number, replicaPorts: readonly number[], tight: boolean) => `
global
  tune.bufsize 65536
  tune.http.maxhdr 2000
defaults
  mode http
  option forwardfor
  option redispatch
  retries 3
  timeout connect 1s
  timeout client 60s
  timeout http-request ${tight ? '300ms' : '10s'}
  timeout server ${tight ? '300ms' : '60s'}
  http-reuse always
frontend clients
  bind 127.0.0.1:${port}
  default_backend replicas
backend replicas
  retry-on conn-failure empty-response
  http-request disable-l7-retry unless METH_GET
  ${replicaPorts.map((one, index) => `server r${index} 127.0.0.1:${one}`).join('\n  ')}
`;

export const haproxy: Contender = {
  name: 'HAProxy',
  installed: existsSync('/usr/sbin/haproxy'),
  start: async (profile, replicaPorts) => {
    const [dir, port] = [await mkdtemp(join(tmpdir(), 'contender-haproxy-')), await freePort()];
    await writeFile(join(dir, 'haproxy.cfg'), HAPROXY(port, replicaPorts, profile === 'tight'));
    return startProcess(port, dir, '/usr/sbin/haproxy', ['-db', '-f', join(dir, 'haproxy.cfg')]);
  },
};

function script(name: string, file: string): Contender {
  return {
    name,
    installed: true,
    start: async (_profile, replicaPorts) => {
      const [dir, port] = [await mkdtemp(join(tmpdir(), 'contender-')), await freePort()];
      const path = fileURLToPath(new URL(file, import.meta.url));
      const args = ['--no-deprecation', path, String(port), ...replicaPorts.map(String)];
      return startProcess(port, dir, process.execPath, args);
    },
  };
}

export const httpProxy: Contender = script('http-proxy', 'http-proxy-contender.ts');

/** Not to be compared with: they get wrong what they can, and show so that cases fail. */
export const BLUNDERERS: readonly Contender[] = [
  script('copier', 'copier-contender.ts'),
  script('buffer', 'buffer-contender.ts'),
];

/** All of them, ours first. */
export const CONTENDERS: readonly Contender[] = [ringmaster, nginx, haproxy, httpProxy];

async function startProcess(port: number, dir: string, command: string, args: readonly string[]): Promise<Running> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (bytes) => {
    errors += bytes;
  });
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${errors}`);
    await pause(20);
  }
  return { port, faults: () => [], stop: () => stop(child, dir) };
}

async function stop(child: ChildProcess, dir: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await exited;
  }
  await rm(dir, { recursive: true, force: true });
}
