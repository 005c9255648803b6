// The real nginx and Caddy in front, set up as the page about access says, and also an nginx with its defaults, which makes an
// outsider look like a neighbour.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { caddy, nginx, startPeer, unlessInstalled } from '../../bench/harness/peers.ts';
import { freePort } from '../../bench/harness/ports.ts';
import { startProgram } from '../../bench/harness/program.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const PAGE = readFileSync(new URL('../../.github/pages/ACCESS.md', import.meta.url), 'utf8');
/** The block of the page in that language, with the test's ports. */
const readmeConfig = (language: string, port: number, ringmaster: number) =>
  (new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(PAGE)?.[1] ?? '')
    .replace(/listen 80;/, `listen 127.0.0.1:${port};`)
    .replace(/^:80 /m, `http://:${port} `)
    .replaceAll('127.0.0.1:5000', `127.0.0.1:${ringmaster}`);

const FRONTS = [
  { name: 'nginx', language: 'nginx', command: 'nginx', made: nginx },
  { name: 'Caddy', language: 'caddyfile', command: 'caddy', made: caddy },
];

for (const { name, language, command, made } of FRONTS) {
  const skip = unlessInstalled(command);
  t.test(`${name} as the page has it: outsiders change nothing and pretend nothing`, { skip }, async (t) => {
    const seen: string[] = [];
    const service = await scriptedReplica((socket, head) => {
      seen.push(head);
      socket.write(reply('{"by":"service"}'));
    });
    t.teardown(() => service.close());
    const adminPort = await freePort();
    const program = await startProgram([
      ...['--upstream', service.upstream, '--heartbeat-path', 'off'],
      ...['--admin-port', String(adminPort), '--trust-proxy', 'loopback'],
    ]);
    t.teardown(() => program.stop());
    const front = await startPeer(
      made((setup) => readmeConfig(language, setup.port, program.port)),
      {},
    );
    t.teardown(() => front.stop());
    const { port } = front;

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
  { skip: unlessInstalled('nginx') },
  async (t) => {
    const program = await startProgram(['--replicas', '1']);
    t.teardown(() => program.stop());
    const site = (port: number) =>
      `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${program.port}; } }`;
    const front = await startPeer(
      nginx(({ port }) => site(port)),
      {},
    );
    t.teardown(() => front.stop());
    const answer = await fetch(`http://127.0.0.1:${front.port}/add`, { method: 'POST', body: '{"n":1}' });
    t.equal(answer.status, 401);
    t.equal((await program.hostnames()).length, 1);
  },
);
