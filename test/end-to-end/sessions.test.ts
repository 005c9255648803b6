import http, { type RequestListener, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { Server as SocketServer } from 'socket.io';
import { io } from 'socket.io-client';
import t, { type Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { trafficSettings } from '../../lib/parts/limits.ts';
import { parseOptions } from '../../lib/settings/options.ts';

type Sessions = (request: http.IncomingMessage, response: http.ServerResponse, next: () => void) => void;
// The package comes without types.
const session: (options: object) => Sessions = createRequire(import.meta.url)('express-session');

/** The program over three services that somebody else runs. */
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
  const program = await startProgram(['--upstream', upstream, '--heartbeat-path', 'off', '--key', key]);
  t.teardown(async () => {
    await program.stop();
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

t.test('--key client: express-session with its sessions in memory keeps one', async (t) => {
  const sessions = () => session({ secret: 'x', resave: false, saveUninitialized: false });
  const program = await balanced(t, 'client', () => {
    const load = sessions();
    return (request, response) =>
      load(request, response, () => {
        const { session } = request as unknown as { session: { views?: number } };
        session.views = (session.views ?? 0) + 1;
        response.end(String(session.views));
      });
  });
  let cookie = '';
  for (let view = 1; view <= 10; view++) {
    const answer = await fetch(program.url, { headers: { cookie } });
    cookie ||= answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    t.equal(await answer.text(), String(view));
  }
});

t.test('--key client: socket.io over polling knows its session', async (t) => {
  const sockets: SocketServer[] = [];
  const program = await balanced(
    t,
    'client',
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
  const client = io(program.url, { transports: ['polling'], reconnection: false });
  t.teardown(() => client.close());
  const failed = new Promise<string>((resolve) => {
    client.once('connect_error', (error) => resolve(`${error.message}: ${JSON.stringify(error)}`));
    client.once('disconnect', resolve);
  });
  const echoed = (async () => {
    // Posts the next message while polls are open.
    for (let count = 0; count < 20; count++)
      t.equal(await client.emitWithAck('echo', `text ${count}`), `text ${count}`);
    return 'echoed';
  })();
  t.equal(await Promise.race([failed, echoed]), 'echoed');
});
