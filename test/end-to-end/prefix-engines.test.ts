// The real program in front of engines that cache what they have read of prompts, and one prompt that is far busier than
// all others.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { conversations, promptOf } from '../../bench/harness/llm/conversations.ts';
import { playTurns } from '../../bench/harness/llm/play-turns.ts';
import { PrefixCache } from '../../bench/harness/llm/prefix-cache.ts';
import { startProgram } from '../../bench/harness/program.ts';
import { mostInFlight } from '../../lib/core/ring/bounded-load.ts';

const ENGINE = fileURLToPath(new URL('../../bench/harness/llm/prefix-engine.ts', import.meta.url));
const FAST = { ENGINE_BYTES_PER_MS: '1000000', ENGINE_TOKEN_MS: '0' };

/** Three engines as replicas, begun by the program. */
const startEngines = (...options: string[]) =>
  startProgram(['--replicas', '3', ...options, '--', process.execPath, ENGINE], FAST);

t.test('--key prompt: what was read of a conversation is cached when it goes on', async (t) => {
  const program = await startEngines('--key', 'prompt');
  t.teardown(() => program.stop());
  const turns = conversations({ seed: 1, tenants: 4, perSecond: 12, seconds: 16 });
  const caches = new Map<string, PrefixCache>();
  const engineOf = new Map<number, string>();
  let later = 0;
  for (const turn of turns) {
    // One by one, so that it is known what an engine has read before.
    const [answer] = await playTurns(program.url, [{ ...turn, atMs: 0 }]);
    const engine = answer?.engine ?? 'none';
    const cache = caches.get(engine) ?? new PrefixCache(1_000_000);
    caches.set(engine, cache);
    const prompt = Buffer.from(promptOf(turn.messages));
    t.equal(answer?.cachedBytes, cache.find(prompt), `what ${engine} has read`);
    cache.keep(prompt);
    const before = engineOf.get(turn.conversation);
    if (before !== undefined) {
      later += 1;
      t.equal(engine, before, 'it goes on where it was');
      t.ok((answer?.cachedBytes ?? 0) > prompt.length / 2);
    }
    engineOf.set(turn.conversation, engine);
  }
  t.ok(later > 50, `${later} turns had one before`);
  t.same([...caches.keys()].toSorted(), ['server1', 'server2', 'server3']);
});

t.test('by ids the same conversations are read anew', async (t) => {
  const program = await startEngines();
  t.teardown(() => program.stop());
  const turns = conversations({ seed: 1, tenants: 4, perSecond: 6, seconds: 16 });
  const engines = new Map<number, Set<string | undefined>>();
  for (const turn of turns) {
    const [answer] = await playTurns(program.url, [{ ...turn, atMs: 0 }]);
    engines.set(turn.conversation, (engines.get(turn.conversation) ?? new Set()).add(answer?.engine));
  }
  t.ok([...engines.values()].some(({ size }) => size > 1));
});

for (const [path, more] of [
  ['/v1/chat/completions', { messages: [{ role: 'system', content: 'Be brief.' }] }],
  ['/v1/messages', { system: 'Be brief.' }],
] as const) {
  t.test(`${path}: an answer streams, and the next turn finds its engine`, async (t) => {
    const program = await startEngines('--key', 'prompt', '--workers', '2');
    t.teardown(() => program.stop());
    const said = [{ role: 'user', content: `What about this? ${'It is long. '.repeat(50)}` }];
    let first: string | null = null;
    for (let turn = 0; turn < 4; turn++) {
      const messages = [...('messages' in more ? more.messages : []), ...said];
      const body = JSON.stringify({ model: 'm', max_tokens: 40, stream: true, ...more, messages });
      const answer = await fetch(program.url + path, { method: 'POST', body, headers: { connection: 'close' } });
      t.equal(answer.headers.get('content-type'), 'text/event-stream');
      const text = await answer.text();
      t.equal(text.split(/^data: \{/m).length - 1, path === '/v1/messages' ? 5 : 4, 'a piece for each ten tokens');
      first ??= answer.headers.get('x-engine');
      t.equal(answer.headers.get('x-engine'), first);
      t.equal(Number(answer.headers.get('x-cached-bytes')) > 0, turn > 0);
      said.push({ role: 'assistant', content: 'This.' }, { role: 'user', content: `And that? ${turn}` });
    }
  });
}

const REPLICAS = 32;
const HELD = 384;

t.test('a prompt with a quarter of the requests is at several of 32 replicas, none is above its bound', async (t) => {
  const held: http.ServerResponse[] = [];
  const inFlight = new Array<number>(REPLICAS).fill(0);
  let arrived = () => {};
  const servers: http.Server[] = [];
  for (let index = 0; index < REPLICAS; index++) {
    const server = http.createServer((request, response) => {
      request.resume().once('end', () => {
        inFlight[index] = (inFlight[index] ?? 0) + 1;
        held.push(response);
        arrived();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
  }
  const upstream = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`).join(',');
  const bound = ['--balance-factor', '1.25', '--explain-header', '--heartbeat-path', 'off'];
  // However long a busy machine takes until all are there.
  const patience = ['--reply-timeout', '1h', '--request-timeout', '1h'];
  const program = await startProgram(['--upstream', upstream, '--key', 'prompt', ...bound, ...patience]);
  t.teardown(async () => {
    await program.stop();
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });
  const asked: Promise<{ isHot: boolean; owner: string; replica: string }>[] = [];
  for (let count = 0; count < HELD; count++) {
    const isHot = count % 4 === 0;
    const content = isHot ? 'the same for all' : `one of its own: ${count}`;
    const body = JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] });
    const here = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    asked.push(
      fetch(`${program.url}/v1/chat/completions`, { method: 'POST', body }).then(async (answer) => {
        await answer.text();
        const route = answer.headers.get('x-ringmaster-route') ?? '';
        const [, owner = '', replica = ''] = /owner="(.*?)", replica="(.*?)"/.exec(route) ?? [];
        return { isHot, owner, replica };
      }),
    );
    await here;
    const most = mostInFlight(1.25, count, 1 / REPLICAS, 8);
    t.ok(Math.max(...inFlight) <= most, `${Math.max(...inFlight)} at one, at most ${most} of ${count + 1}`);
  }
  for (const response of held) response.end();
  const placed = await Promise.all(asked);
  const hot = placed.filter(({ isHot }) => isHot);
  const rest = placed.filter(({ isHot }) => !isHot);
  // 96 by at most 15 at each are seven or more.
  const sharers = new Set(hot.map(({ replica }) => replica)).size;
  t.ok(sharers >= 7 && sharers <= REPLICAS / 2, `${sharers} share the busy one`);
  t.equal(new Set(hot.map(({ owner }) => owner)).size, 1, 'whoever takes it, one is its owner');
  t.equal(new Set(rest.map(({ replica }) => replica)).size, REPLICAS, 'and all have others too');
  const owned = rest.filter(({ owner, replica }) => owner === replica).length;
  t.ok(owned > 0.8 * rest.length, `${owned} of ${rest.length} others are with their owners`);
});
