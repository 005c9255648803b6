// An image that knows nothing of us: an app compiled in Docker, with a port of its own, no heartbeat, no health check,
// and no answer to SIGTERM.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { startLoad } from '../../bench/harness/load.ts';
import { startProgram } from '../../bench/harness/program.ts';
import { containersOf, docker, removeFleet } from '../fixtures/engine.ts';

const FLEET = 'test-foreign';
const IMAGE = 'ringmaster-test-foreign';
const VOLUME = 'ringmaster-test-foreign';
const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));

const APP = `
import { appendFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';

const { PORT, HOST, SERVER_ID, RINGMASTER_SEAT, GREETING, WARM_UP_MS = '0' } = process.env;
const warmAtMs = Date.now() + Number(WARM_UP_MS);
http
  .createServer((request: IncomingMessage, response: ServerResponse) => {
    appendFileSync('visits.log', String(request.url) + '\\n');
    if (request.url !== '/') response.writeHead(404).end('no such page');
    else if (Date.now() < warmAtMs) response.writeHead(503).end('warming up');
    else response.end(JSON.stringify({ PORT, HOST, SERVER_ID, RINGMASTER_SEAT, GREETING }));
  })
  .listen(Number(PORT), HOST);
`;

const DOCKERFILE = `
FROM node:26-slim AS build
COPY app.ts .
RUN node -e "fs.writeFileSync('app.mjs', require('module').stripTypeScriptTypes(fs.readFileSync('app.ts', 'utf8')))"
FROM node:26-slim
WORKDIR /app
COPY --from=build app.mjs .
EXPOSE 3000
CMD ["node", "app.mjs"]
`;

async function buildImage(t: Test): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'ringmaster-image-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'app.ts'), APP);
  await writeFile(join(directory, 'Dockerfile'), DOCKERFILE);
  await docker('build', '--quiet', '--tag', IMAGE, directory);
  t.teardown(() => docker('rmi', '--force', IMAGE));
}

const common = ['--docker-image', IMAGE, '--fleet', FLEET];
const args = [...common, '--heartbeat-path', '/', '--replica-env', 'GREETING=hello from {id}'];

/** The exit code and standard error of a balancer that does not start. */
function failedStart(...more: readonly string[]): Promise<{ code: number; stderr: string }> {
  const command = [MAIN, ...common, '--port', '0', '--log', 'off', '--start-timeout', '1h', ...more];
  return new Promise((resolve) => {
    execFile(process.execPath, command, (error, _stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stderr }),
    );
  });
}

export async function foreignImage(t: Test): Promise<void> {
  t.teardown(() => removeFleet(FLEET));
  await buildImage(t);

  await t.test('three-fold by one command: each is told its own, and has nothing of the sample service', async (t) => {
    const program = await startProgram([...args, '--grace', '1h']);
    t.teardown(() => program.stop());
    t.same(await program.hostnames(), ['server1', 'server2', 'server3']);
    const seen = new Map<unknown, unknown>();
    for (let count = 0; count < 30; count++) {
      const { body } = await program.json('/');
      seen.set((body as { SERVER_ID: string }).SERVER_ID, body);
    }
    const toldTo = (id: string, seat: string) => ({
      ...{ PORT: '3000', HOST: '0.0.0.0', SERVER_ID: id, RINGMASTER_SEAT: seat, GREETING: `hello from ${id}` },
    });
    t.same([...seen].sort(), [
      ['server1', toldTo('server1', '1')],
      ['server2', toldTo('server2', '2')],
      ['server3', toldTo('server3', '3')],
    ]);
    const [inspected] = JSON.parse(await docker('inspect', 'server1'));
    t.same(inspected.Mounts, []);
    t.match(inspected.HostConfig, { ReadonlyRootfs: false, CapDrop: null, SecurityOpt: ['no-new-privileges'] });
    t.match(inspected.NetworkSettings.Ports['3000/tcp'], [{ HostIp: '127.0.0.1' }]);
    t.notOk(inspected.Config.Env.some((variable: string) => /^(VOTES_URL|DATA_DIR)=/.test(variable)));

    const load = startLoad(`${program.url}/`, 100);
    await load.more(20);
    await docker('kill', 'server2');
    const lost = await program.logged((line) => line.event === 'replica-lost' && line.hostname === 'server2');
    await program.logged(
      (line) =>
        line.event === 'replica-serving' && line.seat === 2 && Number(line.incarnation) > Number(lost.incarnation),
    );
    await load.more(50);
    t.same((await load.stop()).failures, [], 'no GET failed');
    t.equal((await program.hostnames()).length, 3);

    t.match(await program.json('/add', { method: 'POST', body: '{"n":1,"hostnames":["foreign4"]}' }), { status: 200 });
    // With a grace of an hour, this is answered only if SIGTERM itself ends the app, which does not handle it.
    t.match(await program.json('/rm', { method: 'DELETE', body: '{"n":1,"hostnames":["foreign4"]}' }), { status: 200 });
    await program.stop();
    t.same(await containersOf(FLEET), []);
  });

  await t.test('a roll to another image, under load; one that is not there stops it', async (t) => {
    await docker('tag', IMAGE, `${IMAGE}:second`);
    t.teardown(() => docker('rmi', `${IMAGE}:second`));
    const program = await startProgram(args);
    t.teardown(() => program.stop());
    const roll = (body: object) => program.json('/balancer/roll', { method: 'POST', body: JSON.stringify(body) });
    t.match(await roll({ image: 'ringmaster-no-such-image' }), { status: 503, body: { message: /0 were replaced/ } });
    t.match(await roll({ undo: true }), { status: 200 });
    t.same(await program.hostnames(), ['server1', 'server2', 'server3']);
    const load = startLoad(`${program.url}/`, 100);
    await load.more(20);
    t.match(await roll({ image: `${IMAGE}:second`, env: { GREETING: 'second' } }), {
      status: 200,
      body: { message: { phase: 'done' } },
    });
    await load.more(20);
    t.same((await load.stop()).failures, [], 'no GET failed');
    for (const name of await program.hostnames()) {
      const [inspected] = JSON.parse(await docker('inspect', name));
      t.equal(inspected.Config.Image, `${IMAGE}:second`);
    }
    t.match((await program.json('/')).body, { GREETING: 'second', PORT: '3000' });
  });

  await t.test('a balancer that was killed finds them again, with the port that they were made with', async (t) => {
    const first = await startProgram(args);
    const containers = await containersOf(FLEET);
    first.process.kill('SIGKILL');
    await first.exited;
    const changed = ['--docker-port', '3001', '--replica-env', 'GREETING=s3cret', '--docker-volume', `${VOLUME}:/kept`];
    const second = await startProgram([...common, '--heartbeat-path', '/', ...changed]);
    t.teardown(() => second.stop());
    t.same(await containersOf(FLEET), containers);
    t.match((await second.json('/')).body, { PORT: '3000' });
    const told = await second.logged((line) => line.event === 'adopted-with-other-settings');
    t.match(told, {
      has: { port: 3000, volumes: '' },
      wanted: { port: 3001, volumes: `${VOLUME}:/kept` },
      variables: 'GREETING, PORT',
    });
    t.notMatch(JSON.stringify(told), 's3cret');
  });

  await t.test('volumes, a command of one’s own, and an app that answers 503 while it warms up', async (t) => {
    t.teardown(() => docker('volume', 'rm', '--force', VOLUME, `${VOLUME}-2`));
    const volumes = ['--docker-volume', `${VOLUME}:/kept`, '--docker-volume', `${VOLUME}-2:/kept/too`];
    const own = ['--replicas', '1', '--docker-port', '4000', '--replica-env', 'WARM_UP_MS=1500'];
    const command = ['--', 'node', 'app.mjs', '{port} {id} {seat}'];
    const program = await startProgram([...args, ...volumes, ...own, ...command]);
    t.teardown(() => program.stop());
    t.match(await program.json('/'), { status: 200, body: { PORT: '4000' } });
    const [inspected] = JSON.parse(await docker('inspect', 'server1'));
    t.same(inspected.Config.Cmd, ['node', 'app.mjs', '4000 server1 1']);
    const mounts = inspected.Mounts.map(({ Name, Destination }: Record<string, string>) => `${Name}:${Destination}`);
    t.same(mounts.sort(), [`${VOLUME}-2:/kept/too`, `${VOLUME}:/kept`]);
  });

  await t.test('a path that it does not have: told in words with exit code 1, and nothing left', async (t) => {
    const { code, stderr } = await failedStart();
    t.equal(code, 1);
    t.match(
      stderr,
      /^ringmaster: no replica came up: it answers 404 to \/heartbeat: is it there\? --heartbeat-path \/ or tcp\n$/,
    );
    t.same(await containersOf(FLEET), []);
  });

  await t.test('a mere connection is enough with `tcp`, but not one that only the engine accepts', async (t) => {
    const program = await startProgram([...common, '--heartbeat-path', 'tcp', '--replicas', '1']);
    t.teardown(() => program.stop());
    t.match(await program.json('/'), { status: 200 });
    await program.stop();
    const options = ['--heartbeat-path', 'tcp', '--replicas', '0', '--start-timeout', '1h'];
    const silent = await startProgram([...common, ...options, '--', 'sleep', '600']);
    t.teardown(() => silent.stop());
    const adding = silent.json('/add', { method: 'POST', body: '{"n":1,"hostnames":["silent"]}' });
    t.match(await silent.logged((line) => line.event === 'replica-down'), {
      hostname: 'silent',
      reason: 'it closed the connection at once: does it listen on that port?',
    });
    await silent.stop();
    t.match(await adding, { status: 503 });
  });

  t.test('an image that exposes two ports: asked which one', async (t) => {
    const template = await docker('create', 'node:26-slim', 'node', '--version');
    const image = `${IMAGE}-two`;
    await docker('commit', '--change', 'EXPOSE 3000', '--change', 'EXPOSE 9229', template, image);
    await docker('rm', template);
    t.teardown(() => docker('rmi', '--force', image));
    const { code, stderr } = await failedStart('--docker-image', image);
    t.equal(code, 1);
    t.match(stderr, /^ringmaster: the image \S+ exposes the ports 3000, 9229: --docker-port says which .*\n$/);
  });
}
