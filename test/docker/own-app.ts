// The files of scripts/app/: somebody's app behind ringmaster in one container, and three containers of it behind one.

import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Test } from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { docker } from '../fixtures/engine.ts';
import { eventually } from '../fixtures/eventually.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BALANCER = 'ringmaster-test-own-balancer';
const APP = 'ringmaster-test-own-app';
const PROJECT = 'ringmaster-test-own';
const SERVER = `
const { createServer } = require('node:http');
const { hostname } = require('node:os');
const { PORT, HOST, SERVER_ID = hostname() } = process.env;
createServer((request, response) => response.end(SERVER_ID)).listen(PORT, HOST);
`;

async function images(t: Test): Promise<void> {
  await docker('build', '--quiet', '--file', join(ROOT, 'Dockerfile.balancer'), '--tag', BALANCER, ROOT);
  t.teardown(() => docker('rmi', '--force', BALANCER));
  const folder = await mkdtemp(join(tmpdir(), 'ringmaster-own-app-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'server.js'), SERVER);
  await copyFile(join(ROOT, 'scripts/app/Dockerfile'), join(folder, 'Dockerfile'));
  await docker('build', '--quiet', '--build-arg', `RINGMASTER_IMAGE=${BALANCER}`, '--tag', `${APP}:inside`, folder);
  t.teardown(() => docker('rmi', '--force', `${APP}:inside`));
  await writeFile(
    join(folder, 'plain'),
    'FROM node:26-slim\nWORKDIR /app\nCOPY server.js .\nCMD ["node", "server.js"]\n',
  );
  await docker('build', '--quiet', '--file', join(folder, 'plain'), '--tag', `${APP}:plain`, folder);
  t.teardown(() => docker('rmi', '--force', `${APP}:plain`));
}

const answer = async (url: string) => {
  const reply = await fetch(url);
  return reply.status === 200 ? reply.text() : `status ${reply.status}`;
};

/** Asks until three have answered; fails if the time of the test is over first. */
async function threeAnswer(t: Test, url: string): Promise<string[]> {
  const seen = new Set<string>();
  await eventually('three answer', async () => {
    seen.add(await answer(url));
    return seen.size === 3;
  });
  t.notOk(
    [...seen].some((one) => one.startsWith('status')),
    [...seen].join(', '),
  );
  return [...seen].sort();
}

export async function ownApp(t: Test): Promise<void> {
  await images(t);

  t.test('Dockerfile: ringmaster and three of the app in one container', async (t) => {
    const port = await freePort();
    const id = (await docker('run', '--detach', '--publish', `127.0.0.1:${port}:5000`, `${APP}:inside`)).trim();
    t.teardown(() => docker('rm', '--force', id));
    const url = `http://127.0.0.1:${port}/`;
    await eventually('it serves', () =>
      answer(url).then(
        (text) => text.startsWith('server'),
        () => false,
      ),
    );
    t.same(await threeAnswer(t, url), ['server1', 'server2', 'server3']);
    await docker('stop', id);
    t.equal((await docker('inspect', '--format', '{{.State.ExitCode}}', id)).trim(), '0');
  });

  t.test('compose.yaml: three containers of the app behind a balancer', async (t) => {
    const port = await freePort();
    const variables = { APP_IMAGE: `${APP}:plain`, RINGMASTER_IMAGE: BALANCER, RINGMASTER_PORT: String(port) };
    const env = { ...process.env, ...variables, COMPOSE_PROJECT_NAME: PROJECT };
    const compose = (...args: string[]) =>
      promisify(execFile)('docker', ['compose', '--file', join(ROOT, 'scripts/app/compose.yaml'), ...args], { env });
    t.teardown(() => compose('down', '--volumes').catch(() => undefined));
    await compose('up', '--detach', '--wait');
    const url = `http://127.0.0.1:${port}/`;
    await threeAnswer(t, url);
    // One is killed; its engine starts it again, and meanwhile nobody waits for it in vain.
    const asked = Array.from({ length: 50 }, () => answer(url));
    await compose('kill', 'app2');
    t.notOk((await Promise.all(asked)).some((text) => text.startsWith('status')));
    await compose('down');
    t.equal((await compose('ps', '--quiet')).stdout, '');
  });
}
