import http, { type RequestListener, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Server as SocketServer } from 'socket.io';
import { io } from 'socket.io-client';
import t, { type Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { stopNewest, upgrade } from '../../bench/harness/upgrades.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { parseOptions } from '../../lib/settings/options.ts';
import { eventually } from '../fixtures/eventually.ts';

type Sessions = (request: http.IncomingMessage, response: http.ServerResponse, next: () => void) => void;
// The package comes without types.
const session: (options: object) => Sessions = createRequire(import.meta.url)('express-session');

/** The program over three services that somebody else runs. @param key with more flags behind it, if need be. */
async function balanced(
  t: Test,
  key: string,
  answer: (server: number) => RequestListener,
  prepare: (server: Server) => void = () => undefined,
): Promise<Program> {
  const servers: Server[] = [];
  for (let index = 0; index < 3; index++) {
    const server = http.createServer(answer(index));
    prepare(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
  }
  const upstream = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`).join(',');
  const program = await startProgram(['--upstream', upstream, '--heartbeat-path', 'off', '--key', ...key.split(' ')]);
  t.teardown(async () => {
    await stopNewest(program);
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  return program;
}

t.test('the bound on load is on by default only where nothing is to stick', async (t) => {
  const factor = (...args: string[]) => trafficSettings(parseOptions(args, {})).spread.balanceFactor;
  t.equal(factor(), 1.25);
  t.equal(factor('--key', 'request'), 1.25);
  for (const key of ['client', 'path', 'header:x', 'cookie:session,client', 'query:user,request']) {
    t.equal(factor('--key', key), Number.POSITIVE_INFINITY, key);
  }
  t.equal(factor('--key', 'client', '--balance-factor', '2'), 2);
  t.equal(factor('--hash', 'quadratic'), Number.POSITIVE_INFINITY);
});

for (const key of ['cookie:session', 'client']) {
  t.test(`--key ${key}: one session with two requests at a time stays at one replica`, async (t) => {
    // Neither request is answered before both have arrived, at whichever service.
    let held: (() => void)[] = [];
    const program = await balanced(t, key, (server) => (_request, response) => {
      held.push(() => response.end(String(server)));
      if (held.length < 2) return;
      for (const answer of held) answer();
      held = [];
    });
    for (let session = 0; session < 8; session++) {
      const ask = async () => (await fetch(program.url, { headers: { cookie: `session=s${session}` } })).text();
      const [one, other] = await Promise.all([ask(), ask()]);
      t.equal(one, other, `session ${session}`);
    }
  });
}

// Sessions in the memory of each service, and a count of views in each.
function viewsOf(): () => RequestListener {
  return () => {
    const load = session({ secret: 'x', resave: false, saveUninitialized: false });
    return (request, response) =>
      load(request, response, () => {
        const { session } = request as unknown as { session: { views?: number } };
        session.views = (session.views ?? 0) + 1;
        response.end(String(session.views));
      });
  };
}

/** Asks with a connection of its own for each request, and keeps the cookies. */
function browser(url: string): () => Promise<{ text: string; route: string }> {
  const jar = new Map<string, string>();
  return async () => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { headers: { connection: 'close', ...(cookie === '' ? {} : { cookie }) } });
    for (const set of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = (set.split(';')[0] ?? '').split('=');
      jar.set(name, value);
    }
    return { text: await answer.text(), route: answer.headers.get('x-ringmaster-route') ?? '' };
  };
}

for (const key of [
  'client',
  'learn:cookie=connect.sid',
  'learn:cookie=connect.sid --workers 2',
  'cookie:sticky --issue-cookie',
  'cookie:sticky --issue-cookie --workers 2',
]) {
  t.test(`--key ${key}: express-session with its sessions in memory keeps them`, async (t) => {
    const program = await balanced(t, key, viewsOf());
    const clients = Array.from({ length: 12 }, () => browser(program.url));
    for (let view = 1; view <= 8; view++) {
      const seen = await Promise.all(clients.map((ask) => ask()));
      t.same(
        seen.map(({ text }) => text),
        clients.map(() => String(view)),
      );
    }
  });
}

for (const workers of ['1', '2']) {
  const skip = process.platform !== 'linux' && 'an upgrade takes Linux';
  t.test(`what was learned is kept over an upgrade, workers: ${workers}`, { skip }, async (t) => {
    const program = await balanced(t, `learn:cookie=connect.sid --workers ${workers}`, viewsOf());
    const clients = Array.from({ length: 12 }, () => browser(program.url));
    await Promise.all(clients.map((ask) => ask()));
    await upgrade(program);
    const seen = await Promise.all(clients.map((ask) => ask()));
    t.same(
      seen.map(({ text }) => text),
      clients.map(() => '2'),
    );
  });
}

t.test('without any of these the same sessions are lost', async (t) => {
  const program = await balanced(t, 'request', viewsOf());
  const ask = browser(program.url);
  const seen: string[] = [];
  for (let view = 1; view <= 8; view++) seen.push((await ask()).text);
  t.not(seen.at(-1), '8');
});

t.test('a cookie that was issued leads to the same place when its replica has been replaced', async (t) => {
  const program = await startProgram(['--key', 'cookie:sticky', '--issue-cookie', '--explain-header']);
  t.teardown(() => program.stop());
  const ask = browser(`${program.url}/home`);
  const before = await ask();
  const [, slot, owner = ''] = /slot=(\d+), owner="(.*?)", replica="\2"$/.exec(before.route) ?? [];
  t.match(before.text, owner);
  t.equal((await program.call('POST', '/balancer/kill', { hostname: owner })).status, 200);
  // While it is away others take its requests; then they all go to its successor.
  let route = '';
  await eventually('its successor replies', async () => {
    route = (await ask()).route;
    return /replica="(?!server[123]")/.test(route);
  });
  const successor = (await program.hostnames()).find((name) => !/^server[123]$/.test(name));
  t.equal(route, `key="cookie:sticky", slot=${slot}, owner="${successor}", replica="${successor}"`);
});

for (const [key, cookie] of [
  ['client', false],
  ['learn:cookie=io', true],
  ['cookie:sticky --issue-cookie', false],
] as const) {
  t.test(`--key ${key}: socket.io over polling knows its session, then over a WebSocket too`, async (t) => {
    const sockets: SocketServer[] = [];
    const program = await balanced(
      t,
      key,
      () => () => undefined,
      (server) => {
        const sessions = new SocketServer(server, cookie ? { cookie: { name: 'io' } } : {});
        sessions.on('connection', (socket) => socket.on('echo', (text: string, reply) => reply(text)));
        sockets.push(sessions);
      },
    );
    t.teardown(() => {
      for (const sessions of sockets) sessions.disconnectSockets(true);
    });
    const echo = async (transports: string[]) => {
      // Keeps cookies, as a browser does.
      const client = io(program.url, {
        transports,
        reconnection: false,
        withCredentials: true,
        forceNew: true,
      });
      t.teardown(() => client.close());
      const failed = new Promise<string>((resolve) => {
        client.once('connect_error', (error) => resolve(`${error.message}: ${JSON.stringify(error)}`));
        client.once('disconnect', resolve);
      });
      const upgraded = new Promise((resolve) => client.io.engine.once('upgrade', resolve));
      const echoed = (async () => {
        if (transports.includes('websocket')) await upgraded;
        // Posts the next message while polls are open.
        for (let count = 0; count < 20; count++)
          t.equal(await client.emitWithAck('echo', `text ${count}`), `text ${count}`);
        return 'echoed';
      })();
      t.equal(await Promise.race([failed, echoed]), 'echoed');
    };
    await Promise.all(Array.from({ length: 6 }, () => echo(['polling'])));
    await Promise.all(Array.from({ length: 6 }, () => echo(['polling', 'websocket'])));
  });
}

t.test('socket.io over a WebSocket stays, whatever the key is', async (t) => {
  const sockets: SocketServer[] = [];
  const program = await balanced(
    t,
    'request',
    () => () => undefined,
    (server) => {
      const sessions = new SocketServer(server);
      sessions.on('connection', (socket) => socket.on('echo', (text: string, reply) => reply(text)));
      sockets.push(sessions);
    },
  );
  t.teardown(() => {
    for (const sessions of sockets) sessions.disconnectSockets(true);
  });
  const client = io(program.url, { transports: ['websocket'], reconnection: false });
  t.teardown(() => client.close());
  for (let count = 0; count < 20; count++) t.equal(await client.emitWithAck('echo', count), count);
});
