// The proxies that the cases are played against. Each is a process of its own over the same replicas, set up as its
// manual advises for a reverse proxy. Ours is the real program.

import { fileURLToPath } from 'node:url';
import {
  haproxy as haproxyPeer,
  isInstalled,
  nginx as nginxPeer,
  nodeProxy,
  type PeerKind,
  type Setup,
  startPeer,
} from '../../bench/harness/peers.ts';
import { startProgram } from '../../bench/harness/program.ts';
import type { Profile } from './case.ts';

export interface Running {
  readonly port: number;
  /** What it wrote since the last call that no proxy should write. */
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

export const ringmaster: Contender = ours('ringmaster', []);

/** The same over two threads. */
export const ringmasterOfTwo: Contender = ours('ringmaster, two workers', ['--workers', '2']);

function ours(name: string, more: readonly string[]): Contender {
  const start = async (profile: Profile, replicaPorts: readonly number[]): Promise<Running> => {
    const upstream = replicaPorts.map((port) => `127.0.0.1:${port}`).join(',');
    const options = ['--upstream', upstream, '--heartbeat-path', 'off', '--log', 'error'];
    const program = await startProgram([...options, ...more, ...(SETTINGS[profile] ?? [])]);
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
  };
  return { name, installed: true, start };
}

interface ReplicasSetup extends Setup {
  readonly backends: readonly string[];
  readonly isTight: boolean;
}

function nginxConfig({ port, backends, isTight }: ReplicasSetup): string {
  const tight = 'client_header_timeout 300ms; proxy_read_timeout 300ms; client_max_body_size 1000;';
  return `map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream replicas { ${backends.map((one) => `server ${one} max_fails=0;`).join(' ')} keepalive 32; }
  ${isTight ? tight : 'client_max_body_size 0;'}
  large_client_header_buffers 8 64k; proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 64k;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://replicas; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }
  }`;
}

function haproxyConfig({ port, backends, isTight }: ReplicasSetup): string {
  return `global
  tune.bufsize 65536
  tune.http.maxhdr 2000
defaults
  mode http
  option forwardfor
  option redispatch
  retries 3
  timeout connect 1s
  timeout client 60s
  timeout http-request ${isTight ? '300ms' : '10s'}
  timeout server ${isTight ? '300ms' : '60s'}
  http-reuse always
frontend clients
  bind 127.0.0.1:${port}
  default_backend replicas
backend replicas
  retry-on conn-failure empty-response
  http-request disable-l7-retry unless METH_GET
  ${backends.map((one, index) => `server r${index} ${one}`).join('\n  ')}`;
}

export const nginx: Contender = peer('nginx', isInstalled('nginx'), nginxPeer(nginxConfig));

export const haproxy: Contender = peer('HAProxy', isInstalled('haproxy'), haproxyPeer(haproxyConfig));

/** Shows how a common proxy does, and that cases can fail. A bad reply may end its process. */
export const httpProxy: Contender = peer('http-proxy', true, nodeProxy('http-proxy'));

/** Proxies that get as much wrong as they can, to show that cases can fail. They are left out of the comparison. */
export const BLUNDERERS: readonly Contender[] = [
  script('copier', 'copier-contender.ts'),
  script('buffer', 'buffer-contender.ts'),
];

/** All contenders, ours first. */
export const CONTENDERS: readonly Contender[] = [ringmaster, nginx, haproxy, httpProxy];

function script(name: string, file: string): Contender {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const portsOf = (backends: readonly string[]) => backends.map((one) => one.split(':')[1] as string);
  return peer(name, true, {
    words: ({ port, backends }) => [process.execPath, path, String(port), ...portsOf(backends)],
  });
}

function peer(name: string, installed: boolean, kind: PeerKind<ReplicasSetup>): Contender {
  return {
    name,
    installed,
    start: async (profile, replicaPorts) => {
      const backends = replicaPorts.map((port) => `127.0.0.1:${port}`);
      const { port, stop } = await startPeer(kind, { backends, isTight: profile === 'tight' });
      return { port, stop, faults: () => [] };
    },
  };
}
