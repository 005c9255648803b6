// The stack as it is deployed: a balancer in the Swarm, and replicas on the overlay network that it shares with them.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { eventually } from '../fixtures/eventually.ts';
import { crash, removeServices, removeVolume, SWARM_ENVIRONMENT, servicesOf, swarm } from '../fixtures/swarm.ts';

const STACK = 'rm-test-stack';
const SERVICE = `${STACK}_balancer`;
const IMAGES = [`ringmaster-balancer:${STACK}`, `ringmaster-replica:${STACK}`];
const SCRIPT = fileURLToPath(new URL('../../scripts/swarm/stack.ts', import.meta.url));
const PORT = '5098';
const URL_OF_IT = `http://127.0.0.1:${PORT}`;
const TOKEN = 'test-token';

async function script(...words: string[]): Promise<string> {
  const own = { RINGMASTER_PORT: PORT, RINGMASTER_ADMIN_TOKEN: TOKEN, RINGMASTER_REPLICAS: '2' };
  const env = { ...process.env, ...SWARM_ENVIRONMENT, ...own };
  return (await promisify(execFile)(process.execPath, [SCRIPT, ...words], { env })).stdout;
}

const hostnames = async () =>
  ((await (await fetch(`${URL_OF_IT}/rep`)).json()) as { message: { replicas: string[] } }).message.replicas;

export async function stack(t: Test): Promise<void> {
  t.teardown(async () => {
    await removeServices(STACK);
    await removeVolume(`${STACK}_votes`);
    await swarm('rmi', ...IMAGES).catch(() => undefined);
  });
  await t.rejects(script('sideways'), { message: /swarm: takes up or down; --help says more/ });
  await t.rejects(script('up', '--stack', 'A'), { message: /swarm: --stack takes up to 40 lower-case/ });
  t.match(await script('--help'), /^Usage: npm run swarm:up/);

  t.match(await script('up', '--stack', STACK, '--wait', '300'), /it serves: curl http:\/\/127\.0\.0\.1:5098\/home/);
  const ids = await swarm('image', 'inspect', '--format', '{{.Id}}', ...IMAGES);
  const variables = await swarm(
    'service',
    'inspect',
    '--format',
    '{{json .Spec.TaskTemplate.ContainerSpec.Env}}',
    SERVICE,
  );
  t.ok(JSON.parse(variables).includes(`BUILD=${ids.replace('\n', ' ')}`), 'other images are another definition');
  await eventually('both serve', async () => (await servicesOf(STACK)).length === 2, 120_000);
  t.same(await hostnames(), ['server1', 'server2']);
  t.match(await (await fetch(`${URL_OF_IT}/home`)).json(), { message: /^Hello from Server: server[12]$/ });
  const add = (token: string) => {
    const headers = { authorization: `Bearer ${token}` };
    return fetch(`${URL_OF_IT}/add`, { method: 'POST', headers, body: '{"n":1,"hostnames":["S3"]}' });
  };
  t.equal((await add('another')).status, 401);
  t.equal((await add(TOKEN)).status, 200);
  t.same(await servicesOf(STACK), ['S3', 'server1', 'server2']);
  await crash('S3');
  await eventually('it is replaced', async () => !(await hostnames()).includes('S3'), 60_000);

  await script('down', '--stack', STACK);
  t.same(await servicesOf(STACK), [], 'no replica is left');
  t.equal(await swarm('network', 'ls', '--quiet', '--filter', `name=${STACK}_replicas`), '');
}
