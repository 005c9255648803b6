// The attack of issue 11: a hijacked replica asks the balancer, on the network that they share, to add, remove and kill
// replicas. Played from inside of a real replica, at every address of the balancer and the networks.

import { execFileSync } from 'node:child_process';
import type { Test } from 'tap';
import type { Project } from '../fixtures/compose.ts';
import { docker } from '../fixtures/engine.ts';

// Prints the result of each try. It runs in the container, which has Node and nothing else.
const TRY_ALL = `
  const [targets, timeoutMs] = JSON.parse(process.argv[1]);
  const tries = targets.map(([host, port]) => new Promise((resolve) => {
    const socket = require('node:net').connect({ host, port, timeout: timeoutMs });
    let end = 'no answer';
    socket.on('connect', () => socket.write('POST /add HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: 7\\r\\n\\r\\n{"n":1}'));
    socket.on('data', (bytes) => { end = 'ANSWERED ' + bytes; socket.destroy(); });
    socket.on('timeout', () => socket.destroy());
    socket.on('error', (error) => { end = error.code; });
    socket.on('close', () => resolve([host + ' ' + port, end]));
  }));
  Promise.all(tries).then((results) => console.log(JSON.stringify(results)));`;

type Target = readonly [host: string, port: number];

async function tryFrom(container: string, targets: readonly Target[]): Promise<[string, string][]> {
  return JSON.parse(await docker('exec', container, 'node', '-e', TRY_ALL, JSON.stringify([targets, 3000])));
}

export async function composeAttacks(t: Test, project: Project): Promise<void> {
  const [balancer] = JSON.parse(await docker('inspect', project.balancer));
  const networks = Object.values(balancer.NetworkSettings.Networks) as { IPAddress: string; Gateway: string }[];
  const replica = (await project.hostnames())[0] as string;
  const publicPort = Number(new URL(project.url).port);

  t.test('not at its addresses, by its names, nor by way of the gateways', async (t) => {
    t.equal(networks.length, 2);
    const names = ['balancer', project.balancer, '_front', balancer.Id.slice(0, 12), 'host.docker.internal'];
    const addresses = networks.flatMap(({ IPAddress, Gateway }) => [IPAddress, Gateway]);
    const targets = [...addresses, ...names, '172.17.0.1'].flatMap((host) =>
      [5000, publicPort].map((port) => [host, port] as const),
    );
    const before = await project.hostnames();
    for (const [target, end] of await tryFrom(replica, targets)) t.notMatch(end, /ANSWERED/, target);
    t.same(await project.hostnames(), before);
    // Shows what the attack would look like if it worked.
    const [[, end] = []] = await tryFrom(project.balancer, [['_front', 5000]]);
    t.match(end, /^ANSWERED HTTP\/1.1 200 /);
    await project.ask('DELETE', '/rm', { n: 1, hostnames: (await project.hostnames()).slice(-1) });
  });

  t.test('a replica by the name that the balancer listens on is refused', async (t) => {
    t.match(await project.ask('POST', '/add', { n: 1, hostnames: ['_front'] }), { status: 400 });
  });

  t.test('the published port is one of this machine alone, and takes changes without a token', async (t) => {
    t.same(balancer.NetworkSettings.Ports, { '5000/tcp': [{ HostIp: '127.0.0.1', HostPort: String(publicPort) }] });
    const command = ['-s', '-d', '{"n":1,"hostnames":["server_curl"]}', `localhost:${publicPort}/add`];
    t.match(execFileSync('curl', command, { encoding: 'utf8' }), /"server_curl"\]},"status":"successful"}$/);
    t.match(await project.ask('DELETE', '/rm', { n: 1, hostnames: ['server_curl'] }), { status: 200 });
  });

  t.test('the balancer’s container has limits on memory, processes and log', async (t) => {
    t.match(balancer.HostConfig, {
      Memory: 2 ** 30,
      PidsLimit: 256,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
    });
  });
}
