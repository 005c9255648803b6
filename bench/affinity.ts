// Plays the same conversations with language models through each contender, in front of engines that cache what they
// have read. What one engine with the memory of all of them would find cached is computed from the same turns.

import { fileURLToPath } from 'node:url';
import { affinityContenders, howToGet } from './contenders.ts';
import { conversations, promptOf, type Turn } from './harness/llm/conversations.ts';
import { type AnsweredTurn, playTurns } from './harness/llm/play-turns.ts';
import { PrefixCache } from './harness/llm/prefix-cache.ts';
import { type Peer, type PeerKind, type Setup, startPeer } from './harness/peers.ts';
import type { AffinityRound, AffinitySamples } from './samples.ts';
import type { AffinityPlan } from './scenarios.ts';

const ENGINE = fileURLToPath(new URL('harness/llm/prefix-engine.ts', import.meta.url));

/** @param tell is called before each contender. */
export async function runAffinity(
  plan: AffinityPlan,
  tell: (what: string, ofAll: number) => void,
): Promise<Omit<AffinitySamples, 'environment'>> {
  const turns = conversations(plan);
  const rounds: AffinityRound[] = [];
  const missing: Record<string, string> = {};
  const contenders = affinityContenders();
  for (const [index, contender] of contenders.entries()) {
    const remedy = howToGet(contender);
    if (remedy !== undefined) {
      missing[contender.name] = remedy;
      continue;
    }
    tell(contender.name, index / contenders.length);
    rounds.push(roundOf(contender.name, await playThrough(contender.kind, plan, turns)));
  }
  return {
    plan,
    turns: { atMs: turns.map(({ atMs }) => Math.round(atMs)), promptBytes: turns.map(promptBytes) },
    bestCachedBytes: cachedByOne(turns, plan.engines * plan.cacheBytes),
    rounds,
    missing,
  };
}

async function playThrough(
  kind: PeerKind<Setup & { readonly backends: readonly string[] }>,
  { engines, cacheBytes, bytesPerMs, tokenMs }: AffinityPlan,
  turns: readonly Turn[],
): Promise<AnsweredTurn[]> {
  const started: Peer[] = [];
  try {
    const settings = { cacheBytes, bytesPerMs, tokenMs };
    for (let name = 0; name < engines; name++) started.push(await startPeer(engine(settings), { name: String(name) }));
    const backends = started.map(({ port }) => `127.0.0.1:${port}`);
    const proxy = await startPeer(kind, { backends });
    started.push(proxy);
    return await playTurns(`http://127.0.0.1:${proxy.port}`, turns);
  } finally {
    await Promise.all(started.map((one) => one.stop()));
  }
}

function engine(
  settings: Pick<AffinityPlan, 'cacheBytes' | 'bytesPerMs' | 'tokenMs'>,
): PeerKind<Setup & { readonly name: string }> {
  return {
    words: () => [process.execPath, ENGINE],
    environment: ({ port, name }) => ({
      PORT: String(port),
      SERVER_ID: name,
      ENGINE_CACHE_BYTES: String(settings.cacheBytes),
      ENGINE_BYTES_PER_MS: String(settings.bytesPerMs),
      ENGINE_TOKEN_MS: String(settings.tokenMs),
    }),
  };
}

function roundOf(contender: string, answers: readonly AnsweredTurn[]): AffinityRound {
  return {
    contender,
    firstMs: answers.map(({ firstMs }) => Math.round(firstMs)),
    tookMs: answers.map(({ tookMs }) => Math.round(tookMs)),
    engines: answers.map((answer) => (answer.engine === undefined ? -1 : Number(answer.engine))),
    cachedBytes: answers.map(({ cachedBytes }) => cachedBytes),
  };
}

/** What one cache of that size would have of each turn. */
export function cachedByOne(turns: readonly Turn[], bytes: number): number[] {
  const cache = new PrefixCache(bytes);
  return turns.map(({ messages }) => {
    const prompt = Buffer.from(promptOf(messages));
    const cached = cache.find(prompt);
    cache.keep(prompt);
    return cached;
  });
}

function promptBytes({ messages }: Turn): number {
  return Buffer.byteLength(promptOf(messages));
}
