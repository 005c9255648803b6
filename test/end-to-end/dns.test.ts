// `--upstream dns:`: the program on services that a name stands for, while somebody else replaces them.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { nameServer } from '../fixtures/dns-server.ts';
import { eventually } from '../fixtures/eventually.ts';

/** A service on each address of loopback that is asked for, all on one port. */
async function services(t: Test) {
  const running = new Map<string, Server>();
  let port = 0;
  const begin = async (host: string) => {
    const server = createServer((_, response) => response.end(JSON.stringify({ by: host })));
    server.listen(port, host);
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    running.set(host, server);
  };
  const end = async (host: string) => {
    running.get(host)?.close();
    running.get(host)?.closeAllConnections();
    running.delete(host);
  };
  t.teardown(() => Promise.all([...running.keys()].map(end)));
  return { begin, end, port: () => port };
}

const HOSTS = [2, 3, 4].map((last) => `127.0.0.${last}`);
const NEXT = [12, 13, 14].map((last) => `127.0.0.${last}`);

t.test('a foreign rolling update behind a name fails no request and moves no key', async (t) => {
  const { begin, end, port } = await services(t);
  for (const host of HOSTS) await begin(host);
  const dns = await nameServer();
  t.teardown(() => dns.close());
  dns.hosts.set('app.test', HOSTS);
  const program = await startProgram([
    ...['--upstream', `dns:App.Test:${port()}`, '--dns-servers', dns.address, '--key', 'header:X-Key'],
    ...['--heartbeat-interval', '200ms', '--heartbeat-path', '/', '--log', 'info'],
  ]);
  t.teardown(() => program.stop());
  t.same(
    await program.hostnames(),
    HOSTS.map((host) => `${host}:${port()}`),
  );
  const seatOf = new Map<string, number>();
  const ask = async (key: string) => {
    const { status, body } = await program.json('/x', { headers: { 'X-Key': key } });
    t.equal(status, 200);
    return (body as { by: string }).by;
  };
  const keys = Array.from({ length: 40 }, (_, index) => `key${index}`);
  for (const key of keys) seatOf.set(key, HOSTS.indexOf(await ask(key)));
  // Each next one is there before the last one goes, as most orchestrators do it.
  for (const [index, host] of HOSTS.entries()) {
    const next = NEXT[index] as string;
    await begin(next);
    const rest = [...NEXT.slice(0, index), ...HOSTS.slice(index + 1)];
    dns.hosts.set('app.test', [...rest, next]);
    await program.logged((line) => line.event === 'replica-serving' && line.hostname === `${next}:${port()}`);
    await end(host);
    for (const key of keys.slice(0, 10)) await ask(key);
  }
  t.same(
    await program.hostnames(),
    NEXT.map((host) => `${host}:${port()}`),
  );
  const moved = [];
  for (const key of keys) if (NEXT.indexOf(await ask(key)) !== seatOf.get(key)) moved.push(key);
  t.same(moved, []);
});

t.test('a name server that fails changes nothing; a name that is not there at the start is waited for', async (t) => {
  const { begin, port } = await services(t);
  await begin('127.0.0.2');
  const dns = await nameServer();
  t.teardown(() => dns.close());
  dns.mode = 'fail';
  const upstream = ['--upstream', `dns:_http._tcp.app.test,127.0.0.2:${port()}`, '--dns-servers', dns.address];
  const program = await startProgram([...upstream, '--heartbeat-path', 'off', '--dns-settle', '1s']);
  t.teardown(() => program.stop());
  t.same(await program.hostnames(), [`127.0.0.2:${port()}`]);
  await program.logged((line) => line.event === 'lookup-failed' && /ESERVFAIL/.test(String(line.reason)));
  await begin('127.0.0.3');
  dns.hosts.set('app-1.test', ['127.0.0.3']);
  dns.services.set('_http._tcp.app.test', [{ target: 'app-1.test', port: port() }]);
  dns.mode = 'answer';
  await program.logged((line) => line.event === 'lookup-restored');
  await eventually('it has joined', async () => (await program.hostnames()).includes(`app-1.test:${port()}`));
  dns.mode = 'fail';
  const failures = () => program.log.filter(({ event }) => event === 'lookup-failed').length;
  await eventually('the failure is told', () => failures() === 2);
  t.equal((await program.hostnames()).length, 2);
});
