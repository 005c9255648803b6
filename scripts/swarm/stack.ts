// `npm run swarm:up` and `npm run swarm:down`: builds the images, gives them to a registry where there is one, deploys
// stack.yaml to the Swarm of this machine's engine and waits until it serves; or ends all of that in order.

import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { runCommand } from '../../bench/command.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STACK_FILE = fileURLToPath(new URL('stack.yaml', import.meta.url));

const USAGE = `Usage: npm run swarm:up -- [options]     build, deploy, and wait until the balancer serves
       npm run swarm:down -- [--stack NAME]

  --stack NAME         name of the stack and of its fleet (ringmaster)
  --registry PREFIX    push the images there, such as registry.example.com/team, so that every node can have them;
                       without it replicas run on this node alone
  --wait SECONDS       how long the balancer may take until it serves (120)

The port is RINGMASTER_PORT, or 5000; the number of replicas is RINGMASTER_REPLICAS. scripts/swarm/stack.yaml has the rest.
`;
const LOOK_EVERY_MS = 1000;

interface Request {
  readonly isDown: boolean;
  readonly stack: string;
  readonly registry: string;
  readonly waitMs: number;
}

await runCommand('swarm', readWords, (request) => (request.isDown ? takeDown(request) : bringUp(request)));

function readWords(words: readonly string[]): string | Request {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', default: false },
      stack: { type: 'string', default: 'ringmaster' },
      registry: { type: 'string', default: '' },
      wait: { type: 'string', default: '120' },
    },
  });
  const [what, ...more] = positionals;
  if (values.help) return USAGE;
  if ((what !== 'up' && what !== 'down') || more.length > 0) throw new Error('takes up or down; --help says more');
  // Names of networks and volumes begin with it.
  if (!/^[a-z\d][a-z\d_-]{0,39}$/.test(values.stack)) {
    throw new Error(`--stack takes up to 40 lower-case letters, digits, _ and -, not ${JSON.stringify(values.stack)}`);
  }
  if (!/^\d{1,5}$/.test(values.wait)) throw new Error(`--wait takes whole seconds, not ${JSON.stringify(values.wait)}`);
  const registry = values.registry === '' ? '' : `${values.registry.replace(/\/+$/, '')}/`;
  return { isDown: what === 'down', stack: values.stack, registry, waitMs: 1000 * Number(values.wait) };
}

async function bringUp({ stack, registry, waitMs }: Request): Promise<void> {
  const node = await thisManager();
  if ((process.env.VOTES_URL ?? '') !== '') {
    say(
      'VOTES_URL goes to no replica, since all could read it at the managers: scripts/swarm/stack.yaml says how it does',
    );
  }
  const images = {
    balancer: `${registry}ringmaster-balancer:${stack}`,
    replica: `${registry}ringmaster-replica:${stack}`,
  };
  for (const [name, image] of Object.entries(images)) {
    say(`building ${image} …`);
    await show('build', '--quiet', '--file', `Dockerfile.${name}`, ...buildArguments(), '--tag', image, '.');
    if (registry !== '') await show('push', '--quiet', image);
  }
  const ids = Object.values(images).map((image) => run('image', 'inspect', '--format', '{{.Id}}', image));
  const build = (await Promise.all(ids)).join(' ');
  if (registry === '') say('the replicas run on this node: --registry lets the other nodes have their image');
  const variables = {
    STACK: stack,
    BALANCER_IMAGE: images.balancer,
    REPLICA_IMAGE: images.replica,
    BUILD: build,
    ...(registry === '' ? { REPLICA_CONSTRAINT: `node.id==${node}` } : {}),
  };
  const asBuilt = registry === '' ? ['--resolve-image', 'never'] : ['--with-registry-auth'];
  say(`deploying the stack ${stack} …`);
  await show(...['stack', 'deploy', '--detach=true', ...asBuilt, '--compose-file', STACK_FILE, stack], variables);
  await untilItServes(`${stack}_balancer`, build, waitMs);
  const port = process.env.RINGMASTER_PORT ?? '5000';
  say(`it serves: curl http://127.0.0.1:${port}/home, dashboard at http://127.0.0.1:${port}/balancer/`);
  say(`what it says: docker service logs ${stack}_balancer; the end of it: npm run swarm:down -- --stack ${stack}`);
}

async function takeDown({ stack }: Request): Promise<void> {
  await thisManager();
  const balancer = `${stack}_balancer`;
  if ((await run('service', 'ls', '--quiet', '--filter', `name=${balancer}`)) !== '') {
    say('ending the balancer, which ends its replicas …');
    await run('service', 'scale', '--detach', `${balancer}=0`);
    const ended = async () =>
      (await run('service', 'ps', '--quiet', '--filter', 'desired-state=running', balancer)) === '';
    await until(ended, 60_000, `${balancer} did not end within 60 s`);
  }
  const ofFleet = ['service', 'ls', '--quiet', '--filter', `label=ringmaster.fleet=${stack}`];
  const gone = async () => (await run(...ofFleet)) === '';
  await until(gone, 60_000, 'replicas are left').catch(async () => {
    const left = (await run(...ofFleet)).split('\n').filter((id) => id !== '');
    if (left.length > 0) await run('service', 'rm', ...left);
  });
  say('removing the stack …');
  await show('stack', 'rm', stack);
  const networkGone = async () =>
    (await run('network', 'ls', '--quiet', '--filter', `name=^${stack}_replicas$`)) === '';
  await until(networkGone, 60_000, `the network ${stack}_replicas is still there after 60 s: docker network rm it`);
  say(`it is gone; the volume ${stack}_votes stays`);
}

/** The id of this node. Throws if its engine manages no Swarm. */
async function thisManager(): Promise<string> {
  const told = await run('info', '--format', '{{.Swarm.ControlAvailable}} {{.Swarm.NodeID}}').catch((error) => {
    throw new Error(`no Docker Engine answers: start it, or set DOCKER_HOST (${firstLine(error)})`);
  });
  const [manages, id = ''] = told.split(' ');
  if (manages === 'true') return id;
  throw new Error('this engine manages no Swarm: docker swarm init makes it one, or set DOCKER_HOST to a manager');
}

function buildArguments(): string[] {
  const image = process.env.NODE_IMAGE ?? '';
  return image === '' ? [] : ['--build-arg', `NODE_IMAGE=${image}`];
}

// The image of the balancer has a check, so that its task runs only once it serves.
async function untilItServes(service: string, build: string, waitMs: number): Promise<void> {
  let shown = '';
  const serves = async () => {
    const format = '{{.ID}} {{.CurrentState}}: {{.Error}}';
    const [first = ''] = (await run('service', 'ps', '--no-trunc', '--format', format, service)).split('\n');
    const [, id = '', told = ''] = /^(\S+) (.*)$/.exec(first) ?? [];
    const state = told.replace(/: ?$/, '').replace(/ (less than|about|\d).*? ago/, '');
    if (state !== shown) say(`${service}: ${state}`);
    shown = state;
    // The one before runs until the Swarm has looked at the new definition.
    return state.startsWith('Running') && (await isOfBuild(id, build));
  };
  const late = () => `${service} does not serve after ${waitMs / 1000} s (${shown}): docker service logs ${service}`;
  await until(serves, waitMs, late);
}

async function isOfBuild(taskId: string, build: string): Promise<boolean> {
  const variables = await run('inspect', '--type', 'task', '--format', '{{json .Spec.ContainerSpec.Env}}', taskId);
  return (JSON.parse(variables) as string[]).includes(`BUILD=${build}`);
}

async function until(holds: () => Promise<boolean>, limitMs: number, late: string | (() => string)): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(typeof late === 'string' ? late : late());
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Runs docker and resolves with its output, trimmed. */
async function run(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', args, { cwd: ROOT, maxBuffer: 2 ** 24 });
  return stdout.trim();
}

/** Runs docker and shows what it prints. */
function show(...words: (string | Record<string, string>)[]): Promise<void> {
  const args = words.filter((word) => typeof word === 'string');
  const env = Object.assign({}, process.env, ...words.filter((word) => typeof word !== 'string'));
  const child = spawn('docker', args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`docker ${args[0]} ended with ${signal ?? `exit code ${code}`}`)),
    );
  });
}

function firstLine(error: unknown): string {
  return (
    String(error instanceof Error ? error.message : error)
      .split('\n')
      .filter(Boolean)
      .at(-1) ?? ''
  );
}

function say(text: string): void {
  console.log(`swarm: ${text}`);
}
