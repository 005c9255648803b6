// Plays conversations against what answers them: each turn when it is due, whether or not earlier ones were answered.

import http from 'node:http';
import { openLoop } from '../open-loop.ts';
import type { Turn } from './conversations.ts';

const GIVE_UP_MS = 60_000;
const BYTES_A_TOKEN = 4;

/** How a turn was answered. Times are from when it was due. */
export interface AnsweredTurn {
  readonly firstMs: number;
  readonly tookMs: number;
  /** The name of the engine; undefined without a good answer. */
  readonly engine: string | undefined;
  readonly cachedBytes: number;
}

/** Resolves when all turns are over, with the answers in the order of the turns. */
export async function playTurns(url: string, turns: readonly Turn[]): Promise<AnsweredTurn[]> {
  const agent = new http.Agent({ keepAlive: true });
  const answers = await openLoop(turns, (turn, startMs) => ask(url, agent, turn, startMs + turn.atMs));
  agent.destroy();
  return answers;
}

function ask(url: string, agent: http.Agent, turn: Turn, dueMs: number): Promise<AnsweredTurn> {
  const body = JSON.stringify({
    model: 'fake',
    max_tokens: Math.ceil(turn.answerBytes / BYTES_A_TOKEN),
    messages: turn.messages,
  });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const since = () => performance.now() - dueMs;
    const fail = () => resolve({ firstMs: since(), tookMs: since(), engine: undefined, cachedBytes: 0 });
    const request = http.request(`${url}/v1/chat/completions`, { agent, method: 'POST', headers }, (response) => {
      const firstMs = since();
      const { 'x-engine': engine, 'x-cached-bytes': cached } = response.headers;
      response.resume();
      response.once('error', fail);
      response.once('end', () => {
        const isGood = response.statusCode === 200 && typeof engine === 'string';
        resolve({ firstMs, tookMs: since(), engine: isGood ? engine : undefined, cachedBytes: Number(cached ?? 0) });
      });
    });
    request.setTimeout(GIVE_UP_MS, () => request.destroy());
    request.once('error', fail);
    request.end(body);
  });
}
