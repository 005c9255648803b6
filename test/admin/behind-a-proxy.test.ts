// nginx and Caddy in front, set up as README.md says; and nginx as it is where nothing is set, by which an outsider looks like a
// neighbour. The real ones.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freePort } from '../fixtures/free-port.ts';
import { startProgram } from '../fixtures/program.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const NGINX = '/usr/sbin/nginx';
const CADDY = '/usr/bin/caddy';

/** What README.md has of that language, for other ports. */
const readmeConfig = (language: string, port: number, ringmaster: number) =>
  (new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(README)?.[1] ?? '')
    .replace(/listen 80;/, `listen 127.0.0.1:${port};`)
    .replace(/^:80 /m, `http://:${port} `)
    .replaceAll('127.0.0.1:5000', `127.0.0.1:${ringmaster}`);

const nginxAround = (dir: string, server: string) => `
daemon off; master_process off; pid ${dir}/pid; error_log stderr;
events {}
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')}
  ${server}
}`;

const startProxy = async (
  t: Test,
  port: number,
  command: string,
  config: (dir: string) => string,
  args: (dir: string) => string[],
) => {
  const dir = await mkdtemp(join(tmpdir(), 'ringmaster-front-'));
  await writeFile(join(dir, 'config'), config(dir));
  const child = spawn(command, args(dir), { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: dir } });
  let errors = '';
  child.stderr.on('data', (bytes) => {
    errors += bytes;
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  t.teardown(async () => {
    child.kill('SIGTERM');
    await exited;
    await rm(dir, { recursive: true, force: true });
  });
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`${command} ended: ${errors}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
const startNginx = (t: Test, port: number, server: string) =>
  startProxy(
    t,
    port,
    NGINX,
    (dir) => nginxAround(dir, server),
    (dir) => ['-p', dir, '-c', join(dir, 'config')],
  );
const startCaddy = (t: Test, port: number, site: string) =>
  startProxy(
    t,
    port,
    CADDY,
    () => `{\n admin off\n default_bind 127.0.0.1\n}\n${site}`,
    (dir) => ['run', '--adapter', 'caddyfile', '--config', join(dir, 'config')],
  );

const accepts = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1' });
    socket.once('error', () => resolve(false)).once('connect', () => resolve(socket.destroy() !== undefined));
  });

const FRONTS = [
  { name: 'nginx', language: 'nginx', program: NGINX, start: startNginx },
  { name: 'Caddy', language: 'caddyfile', program: CADDY, start: startCaddy },
];

for (const { name, language, program: command, start } of FRONTS) {
  const skip = existsSync(command) ? false : `${command} is not installed`;
  t.test(`${name} as README.md has it: outsiders change nothing and pretend nothing`, { skip }, async (t) => {
    const seen: string[] = [];
    const service = await scriptedReplica((socket, head) => {
      seen.push(head);
      socket.write(reply('{"by":"service"}'));
    });
    t.teardown(() => service.close());
    const [port, adminPort] = [await freePort(), await freePort()];
    const program = await startProgram([
      ...['--upstream', service.upstream, '--heartbeat-path', 'off'],
      ...['--admin-port', String(adminPort), '--trust-proxy', 'loopback'],
    ]);
    t.teardown(() => program.stop());
    await start(t, port, readmeConfig(language, port, program.port));

    for (const [method, path] of [
      ['POST', '/add'],
      ['DELETE', '/rm'],
      ['GET', '/rep'],
      ['POST', '/balancer/kill'],
    ]) {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: method as string });
      t.same(await answer.json(), { by: 'service' }, `${method} ${path} is for the service`);
    }
    const forged = [
      'X-Forwarded-For: 203.0.113.9',
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil',
      'X-Real-IP: 203.0.113.9',
    ];
    const fields = [...forged, 'Forwarded: for=203.0.113.9', 'X-Ringmaster-Explain: 1', 'Connection: close'].join(
      '\r\n',
    );
    const answer = await exchangeRaw(port, `GET /home HTTP/1.1\r\nHost: shop.example\r\n${fields}\r\n\r\n`);
    t.match(answer, /^HTTP\/1\.1 200 /);
    t.notMatch(answer, /x-ringmaster/i);
    const head = seen.at(-1) ?? '';
    t.notMatch(head, /203\.0\.113\.9|evil|^forwarded:/im);
    t.match(head, /^x-forwarded-for: 127\.0\.0\.1, 127\.0\.0\.1\r$/im);
    t.match(head, /^host: shop\.example\r$/im);
    t.match(head, /^x-forwarded-host: shop\.example\r$/im);

    const token = /^admin token: (\S+)$/m.exec(program.output())?.[1] ?? '';
    const change = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${adminPort}/add`, { method: 'POST', headers, body: '{"n":1}' });
    t.equal((await change({})).status, 401);
    t.match(
      await (await change({ authorization: `Bearer ${token}` })).json(),
      { message: /--upstream/ },
      'it is let in',
    );
  });
}

t.test(
  'nginx where nothing but proxy_pass is set: an outsider changes nothing',
  { skip: existsSync(NGINX) ? false : `${NGINX} is not installed` },
  async (t) => {
    const program = await startProgram(['--replicas', '1']);
    t.teardown(() => program.stop());
    const port = await freePort();
    await startNginx(
      t,
      port,
      `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${program.port}; } }`,
    );
    const answer = await fetch(`http://127.0.0.1:${port}/add`, { method: 'POST', body: '{"n":1}' });
    t.equal(answer.status, 401);
    t.equal((await program.hostnames()).length, 1);
  },
);
