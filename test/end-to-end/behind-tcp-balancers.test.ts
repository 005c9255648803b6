// Balancers behind a TCP balancer that knows nothing of keys: the examples of .github/BEYOND-ONE-MACHINE.md, with the
// addresses of this machine.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type PeerKind, SEARCH_PATH, startPeer, unlessInstalled } from '../../bench/harness/peers.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';
import { namedServices } from '../fixtures/named-services.ts';

const PAGE = readFileSync(new URL('../../.github/BEYOND-ONE-MACHINE.md', import.meta.url), 'utf8');
function exampleOf(name: string): string {
  const found = new RegExp(`<!-- ${name}-example -->\\n\`\`\`${name}\\n([\\s\\S]*?)\`\`\``).exec(PAGE);
  if (found === null) throw new Error(`the page has no example of ${name}`);
  return found[1] as string;
}

interface Front {
  readonly port: number;
  readonly directory: string;
  readonly ports: readonly number[];
}

function placed(example: string, { port, ports }: Front): string {
  return example
    .replace('10.0.0.10:80', `127.0.0.1:${port}`)
    .replaceAll(/10\.0\.0\.(\d):5000/g, (_, number: string) => `127.0.0.1:${ports[Number(number) - 1]}`);
}

const haproxy: PeerKind<Front> = {
  words: ({ directory }) => ['haproxy', '-db', '-f', join(directory, 'haproxy.cfg')],
  environment: () => ({ PATH: SEARCH_PATH }),
  files: (front) => ({ 'haproxy.cfg': placed(exampleOf('haproxy'), front) }),
};

// Where Debian has it.
const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

const nginx: PeerKind<Front> = {
  words: ({ directory }) => ['nginx', '-c', join(directory, 'nginx.conf'), '-e', 'stderr', '-p', directory],
  environment: () => ({ PATH: SEARCH_PATH }),
  files: (front) => ({
    'nginx.conf': `load_module ${STREAM_MODULE};\ndaemon off;\npid nginx.pid;\nevents {}\n${placed(exampleOf('nginx'), front)}`,
  }),
};

const KEYS = Array.from({ length: 24 }, (_, index) => `key${index}`);

/** Asks on a connection of its own, as clients that come anew do. */
function ask(port: number, key: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, agent: false, headers: { 'x-key': key } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.once('error', reject).once('end', () => resolve(`${response.statusCode} ${text}`));
    });
    request.once('error', reject);
  });
}

async function owners(port: number): Promise<string[]> {
  const found: string[] = [];
  for (const key of KEYS) found.push(await ask(port, key));
  return found;
}

/** How many requests that balancer has had. */
async function requests(program: Program): Promise<number> {
  const { text } = await program.call('GET', '/balancer/metrics');
  const counts = text.matchAll(/^ringmaster_requests_total\{[^}]*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

interface Behind {
  readonly front: { readonly port: number };
  readonly balancers: readonly [Program, Program, Program];
  /** Who answers each key. */
  readonly expected: readonly string[];
}

/** Three balancers of one fleet behind a program of that kind, after each was asked. */
async function behind(t: Test, kind: PeerKind<Front>): Promise<Behind> {
  const services = await namedServices(t, 4);
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-behind-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const common = ['--members', join(directory, 'members'), '--key', 'header:x-key', '--lame-duck', '60s'];
  const upstream = services.map(({ address }) => address).join(',');
  const balancers = [await startProgram([...common, '--role', 'controller', '--upstream', upstream])];
  for (let index = 0; index < 2; index++) balancers.push(await startProgram(common));
  t.teardown(() => Promise.all(balancers.map((program) => program.process.kill('SIGKILL'))));
  const front = await startPeer(kind, { ports: balancers.map(({ port }) => port) });
  t.teardown(() => front.stop());

  const expected = await owners(front.port);
  t.equal(new Set(expected).size, 4);
  for (let round = 0; round < 2; round++) t.same(await owners(front.port), expected);
  for (const program of balancers) t.ok((await requests(program)) > 0, 'each of them was asked');
  return { front, balancers: balancers as [Program, Program, Program], expected };
}

async function kill(program: Program): Promise<void> {
  program.process.kill('SIGKILL');
  await program.exited;
}

t.test(
  'behind HAProxy a key has one replica, whichever balancer its connection comes to, also when one is killed or drained',
  { skip: unlessInstalled('haproxy') },
  async (t) => {
    const { front, balancers, expected } = await behind(t, haproxy);
    const [controller, drained, last] = balancers;
    await kill(controller);
    t.same(await owners(front.port), expected, 'at once: nobody was told');

    drained.process.kill('SIGTERM');
    await drained.logged(({ event }) => event === 'lame-duck');
    await eventually('nothing comes to it any more', async () => {
      const before = await requests(drained);
      t.same(await owners(front.port), expected);
      return (await requests(drained)) === before;
    });
    t.ok((await requests(last)) > 0);
  },
);

t.test(
  'so it is behind nginx, which finds out by connections that are refused',
  { skip: unlessInstalled('nginx') || (existsSync(STREAM_MODULE) ? false : 'nginx has no stream module') },
  async (t) => {
    const { front, balancers, expected } = await behind(t, nginx);
    const [controller, drained, last] = balancers;
    await kill(controller);
    t.same(await owners(front.port), expected, 'at once: nobody was told');
    drained.process.kill('SIGTERM');
    await drained.logged(({ event }) => event === 'lame-duck');
    t.same(await owners(front.port), expected, 'it accepts while it ends');
    await kill(drained);
    const before = await requests(last);
    t.same(await owners(front.port), expected);
    t.equal((await requests(last)) - before, KEYS.length, 'all came to the last one');
  },
);
