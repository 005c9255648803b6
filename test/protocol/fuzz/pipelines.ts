// Pipelined requests of all kinds, in any pieces: ignored Upgrade offers, bodies that look like requests, uploads, more
// requests than are read ahead, and some for the balancer itself. All are complete, so all must be answered in order,
// and the replica must get exactly those meant for it. Then another client leaves in the middle of the same, and
// nothing of it may be left over.

import type { IncomingMessage, ServerResponse } from 'node:http';
import net from 'node:net';
import { echoed, echoReplica } from '../../fixtures/echo-replica.ts';
import { startProxy, tcp } from '../../fixtures/proxy.ts';
import { random } from '../../fixtures/random.ts';
import { pick, pieces } from './mutate.ts';
import { mistake, type Track } from './requests.ts';
import { openLine } from './wire-tap.ts';

const OWN = '?own';

type Chance = ReturnType<typeof random>;

export async function openPipelineTrack(): Promise<Track> {
  const replica = await echoReplica();
  const proxy = await startProxy([tcp(replica.port)], {}, undefined, {}, ownAnswer);
  const strayReplica = await echoReplica();
  const stray = await startProxy([tcp(strayReplica.port)], {}, undefined, {}, ownAnswer);
  return {
    play: async (seed, index) => {
      const chance = random(seed + index);
      const sent = makePipeline(chance);
      const text = sent.map(({ bytes }) => bytes).join('');
      replica.requests.length = 0;
      const client = openLine(proxy.port);
      await client.send(pieces(chance, text));
      const { text: answer } = await client.heard((all) => echoed(all).length >= sent.length);
      client.destroy();
      await leave(chance, stray.port, text);
      const got = replica.requests.map(({ startLine, body }) => `${startLine.split(' ')[1]} ${body}`);
      const fault =
        differ(
          'the client was answered',
          echoed(answer),
          sent.map(({ path }) => path),
        ) ??
        differ(
          'the replica got',
          got,
          sent.filter(({ path }) => !path.endsWith(OWN)).map(({ path, body }) => `${path} ${body}`),
        ) ??
        mistake(proxy.log.splice(0)) ??
        mistake(stray.log.splice(0));
      return fault && `${fault}\nsent: ${JSON.stringify(text)}`;
    },
    close: async () => {
      // Resolves when no connection is left. Cuts those that are left after the limit.
      const limit = AbortSignal.timeout(20_000);
      await stray.proxy.close(limit);
      await proxy.close();
      replica.close();
      strayReplica.close();
      if (limit.aborted) throw new Error('connections of clients that have left are left over');
    },
  };
}

function ownAnswer(request: IncomingMessage) {
  if (request.url?.endsWith(OWN) !== true) return undefined;
  return (response: ServerResponse) => {
    request.resume();
    setImmediate(() => response.end(`<${request.url}>`));
  };
}

async function leave(chance: Chance, port: number, text: string): Promise<void> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  if (chance.chance(0.7)) socket.resume();
  const all = pieces(chance, text);
  for (const piece of all.slice(0, 1 + chance.below(all.length))) {
    socket.write(piece, 'latin1');
    if (chance.chance(0.3)) await new Promise((resolve) => setImmediate(resolve));
  }
  pick(chance, [() => socket.end(), () => socket.destroy(), () => socket.resetAndDestroy()])();
  // A socket that nobody reads would not see the end of the other side.
  socket.resume();
}

function differ(what: string, got: readonly string[], expected: readonly string[]): string | undefined {
  const at = expected.findIndex((one, index) => one !== got[index]);
  if (at === -1 && got.length === expected.length) return undefined;
  return `${what} ${JSON.stringify(got[at] ?? got.at(-1))}, not ${JSON.stringify(expected[at])} as number ${at}`;
}

function makePipeline(chance: Chance): { path: string; body: string; bytes: string }[] {
  const count = 2 + chance.below(chance.chance(0.2) ? 40 : 4);
  return Array.from({ length: count }, (_, index) => {
    const path = `/${index}${chance.chance(0.2) ? OWN : ''}`;
    const head = `${pick(chance, ['GET', 'POST', 'PUT', 'DELETE'])} ${path} HTTP/1.1\r\nHost: a\r\n${offer(chance)}`;
    const body = chance.chance(0.5)
      ? ''
      : pick(chance, ['abc', 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n', '\r\n'.repeat(9)]);
    if (body === '') return { path, body, bytes: `${head}${pick(chance, ['', 'Content-Length: 0\r\n'])}\r\n` };
    if (chance.chance(0.5)) return { path, body, bytes: `${head}Content-Length: ${body.length}\r\n\r\n${body}` };
    return { path, body, bytes: `${head}Transfer-Encoding: chunked\r\n\r\n${chunks(chance, body)}` };
  });
}

function offer(chance: Chance): string {
  if (chance.chance(0.6)) return '';
  return pick(chance, [
    'Connection: Upgrade\r\nUpgrade: h2c\r\n',
    'Upgrade: h2c, TLS/1.0\r\nConnection: keep-alive, Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMA\r\n',
    'Connection: Upgrade\r\n',
    'Upgrade: websocket\r\n',
  ]);
}

function chunks(chance: Chance, body: string): string {
  const at = chance.below(body.length);
  const text = [body.slice(0, at), body.slice(at)]
    .filter((part) => part !== '')
    .map((part) => `${part.length.toString(16)}\r\n${part}\r\n`);
  return `${text.join('')}0\r\n${pick(chance, ['', 'X: y\r\n'])}\r\n`;
}
