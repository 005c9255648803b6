// What replicas keep in memory beside sessions, with the real program: documents that are edited together, and
// conversations with a language model.

import http, { type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { type Program, startProgram } from '../../bench/harness/program.ts';

const NAMES = ['one', 'two', 'three'];

/** The program over three services that somebody else runs. */
async function balanced(
  t: Test,
  options: readonly string[],
  serviceOf: (name: string) => http.Server,
): Promise<Program> {
  const servers = NAMES.map(serviceOf);
  for (const server of servers) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstream = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`).join(',');
  const program = await startProgram(['--upstream', upstream, '--heartbeat-path', 'off', ...options]);
  t.teardown(async () => {
    await program.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  return program;
}

/** A service that passes each message of a room on to all that are in it. */
function rooms(): http.Server {
  const server = http.createServer();
  const members = new Map<string, Set<WebSocket>>();
  new WebSocketServer({ server }).on('connection', (socket, request) => {
    const room = request.url ?? '';
    const there = members.get(room) ?? new Set();
    members.set(room, there.add(socket));
    socket.on('message', (data) => {
      for (const one of there) one.send(String(data));
    });
    socket.on('close', () => there.delete(socket));
    socket.send('welcome');
  });
  return server;
}

t.test('--key path:/rooms/{}: whoever opens a document meets the others, over WebSockets', async (t) => {
  const program = await balanced(t, ['--key', 'path:/rooms/{}', '--workers', '2'], rooms);
  const join = async (room: string) => {
    const socket = new WebSocket(`ws://127.0.0.1:${program.port}/rooms/${room}`);
    t.teardown(() => socket.terminate());
    const heard: string[] = [];
    const welcome = new Promise<void>((resolve) => socket.once('message', () => resolve()));
    await welcome;
    const all = new Promise<string[]>((resolve) =>
      socket.on('message', (data) => {
        heard.push(String(data));
        if (heard.length === 3) resolve(heard.toSorted());
      }),
    );
    return { socket, all };
  };
  for (let room = 0; room < 8; room++) {
    const members = await Promise.all([join(`doc-${room}`), join(`doc-${room}`), join(`doc-${room}`)]);
    members.forEach(({ socket }, index) => {
      socket.send(`by ${index}`);
    });
    for (const { all } of members) t.same(await all, ['by 0', 'by 1', 'by 2']);
  }
});

/** An engine that counts how often each conversation came to it, by its first message. */
function engine(name: string): http.Server {
  const turns = new Map<string, number>();
  const answer: RequestListener = async (request, response) => {
    let text = '';
    for await (const bytes of request) text += bytes;
    const { messages } = JSON.parse(text) as { messages: { content: string }[] };
    const first = messages[0]?.content ?? '';
    turns.set(first, (turns.get(first) ?? 0) + 1);
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ by: name, turn: turns.get(first) }));
  };
  return http.createServer(answer);
}

t.test('--key prompt: all turns of a conversation go to one engine, and conversations are spread', async (t) => {
  const program = await balanced(t, ['--key', 'prompt', '--workers', '2'], engine);
  const system = 'You are a helpful assistant. '.repeat(40);
  const engines = new Set<string>();
  for (let conversation = 0; conversation < 16; conversation++) {
    const messages = [{ role: 'user', content: `Question ${conversation}` }];
    for (let turn = 1; turn <= 5; turn++) {
      const body = JSON.stringify({ model: 'm', max_tokens: 100, messages, system, stream: false });
      const headers = { 'Content-Type': 'application/json', connection: 'close' };
      const answer = await fetch(`${program.url}/v1/messages`, { method: 'POST', headers, body });
      const { by, turn: seen } = (await answer.json()) as { by: string; turn: number };
      t.equal(seen, turn, `turn ${turn} of conversation ${conversation}`);
      engines.add(by);
      messages.push({ role: 'assistant', content: 'x'.repeat(5000) }, { role: 'user', content: `And ${turn}?` });
    }
  }
  t.equal(engines.size, 3);
});

t.test('--key json:tenant+path:1: tenants are apart, whatever else a body says', async (t) => {
  const program = await balanced(t, ['--key', 'json:tenant+path:1', '--explain-header'], (name) =>
    http.createServer((request, response) => request.resume().on('end', () => response.end(name))),
  );
  for (let tenant = 0; tenant < 12; tenant++) {
    const ask = async (path: string, rest: object) => {
      const body = JSON.stringify({ ...rest, tenant: `t${tenant}` });
      const answer = await fetch(`${program.url}${path}`, { method: 'POST', body });
      return { by: await answer.text(), route: answer.headers.get('x-ringmaster-route') };
    };
    const [first, second] = [await ask('/a/1', {}), await ask('/a/2', { deep: [[['tenant']]], text: '"tenant":"x"' })];
    t.equal(first.by, second.by);
    t.equal(first.route, second.route);
    t.match(first.route, /^key="json:tenant\+path:1", slot=\d+, /);
  }
});
