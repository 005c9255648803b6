// Balancers behind a TCP balancer that knows nothing of keys: the example of .github/BEYOND-ONE-MACHINE.md, with the
// addresses of this machine.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { type PeerKind, SEARCH_PATH, startPeer, unlessInstalled } from '../../bench/harness/peers.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';
import { namedServices } from '../fixtures/named-services.ts';

const PAGE = readFileSync(new URL('../../.github/BEYOND-ONE-MACHINE.md', import.meta.url), 'utf8');
const [, EXAMPLE = ''] = /<!-- haproxy-example -->\n```haproxy\n([\s\S]*?)```/.exec(PAGE) ?? [];

interface Balancers {
  readonly ports: readonly number[];
}

const haproxy: PeerKind<{ readonly port: number; readonly directory: string } & Balancers> = {
  words: ({ directory }) => ['haproxy', '-db', '-f', join(directory, 'haproxy.cfg')],
  environment: () => ({ PATH: SEARCH_PATH }),
  files: ({ port, ports }) => ({
    'haproxy.cfg': EXAMPLE.replace('10.0.0.10:80', `127.0.0.1:${port}`).replaceAll(
      /10\.0\.0\.(\d):5000/g,
      (_, number: string) => `127.0.0.1:${ports[Number(number) - 1]}`,
    ),
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

t.test(
  'whichever balancer a connection comes to, its key has one replica, also when a balancer is killed or drained',
  { skip: unlessInstalled('haproxy') },
  async (t) => {
    const services = await namedServices(t, 4);
    const directory = mkdtempSync(join(tmpdir(), 'ringmaster-haproxy-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const common = ['--members', join(directory, 'members'), '--key', 'header:x-key', '--lame-duck', '60s'];
    const upstream = services.map(({ address }) => address).join(',');
    const balancers = [await startProgram([...common, '--role', 'controller', '--upstream', upstream])];
    for (let index = 0; index < 2; index++) balancers.push(await startProgram(common));
    t.teardown(() => Promise.all(balancers.map((program) => program.process.kill('SIGKILL'))));
    const front = await startPeer(haproxy, { ports: balancers.map(({ port }) => port) });
    t.teardown(() => front.stop());

    const expected = await owners(front.port);
    t.equal(new Set(expected).size, 4);
    for (let round = 0; round < 2; round++) t.same(await owners(front.port), expected);
    for (const program of balancers) t.ok((await requests(program)) > 0, 'each of them was asked');

    const [controller, drained, last] = balancers as [Program, Program, Program];
    controller.process.kill('SIGKILL');
    await controller.exited;
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
