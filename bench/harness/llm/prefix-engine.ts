// An engine for language models without a model: what it says means nothing, but its times are those of an engine that
// caches prefixes. It reads prompts one after the other, each for as long as its bytes that are not cached take, and
// then gives tokens at a fixed pace, to any number of requests at once. All of it is waiting and takes no processor
// time. It is a program as any replica is: PORT (a path too), HOST and SERVER_ID say where it listens and who it is.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { promptOf } from './conversations.ts';
import { PrefixCache } from './prefix-cache.ts';

const { PORT = '0', HOST = '127.0.0.1', SERVER_ID = 'engine' } = process.env;
const numberFrom = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const CACHE_BYTES = numberFrom('ENGINE_CACHE_BYTES', 1_000_000);
const BYTES_PER_MS = numberFrom('ENGINE_BYTES_PER_MS', 100);
const TOKEN_MS = numberFrom('ENGINE_TOKEN_MS', 5);
/** How often a stream says something, in tokens. */
const TOKENS_A_PIECE = 10;
const MOST_TOKENS = 100_000;
const MOST_BODY_BYTES = 2 ** 22;

const cache = new PrefixCache(CACHE_BYTES);
const stats = { requests: 0, promptBytes: 0, cachedBytes: 0, busyMs: 0 };
// When it has read all prompts that it has.
let freeMs = 0;

/** A request in OpenAI's shape for chat completions, or in Anthropic's for messages: what matters here is the same. */
interface Asked {
  readonly system?: unknown;
  readonly messages: readonly { readonly role: 'user' | 'assistant' | 'system'; readonly content: unknown }[];
  readonly max_tokens?: number;
  readonly stream?: boolean;
}

const server = http.createServer(async (request, response) => {
  if (request.url === '/stats') return sendJson(response, 200, stats);
  if (request.method !== 'POST') return void response.end();
  try {
    await answer(JSON.parse(await bodyOf(request)) as Asked, response, request.url === '/v1/messages');
  } catch (error) {
    if (response.headersSent) response.destroy();
    else sendJson(response, 400, { error: { type: 'invalid_request_error', message: String(error) } });
  }
});
server.keepAliveTimeout = 60_000;
if (PORT.startsWith('/')) server.listen(PORT);
else server.listen(Number(PORT), HOST);

async function answer(asked: Asked, response: ServerResponse, isAnthropic: boolean): Promise<void> {
  const before = asked.system === undefined ? [] : [{ role: 'system' as const, content: textOf(asked.system) }];
  const said = asked.messages.map(({ role, content }) => ({ role, content: textOf(content) }));
  const prompt = Buffer.from(promptOf([...before, ...said]));
  await read(prompt, response);
  const tokens = Math.min(asked.max_tokens ?? TOKENS_A_PIECE, MOST_TOKENS);
  const text = `${SERVER_ID} says ${tokens} tokens`;
  if (asked.stream === true) {
    response.setHeader('Content-Type', 'text/event-stream');
    response.flushHeaders();
    for (let left = tokens; left > 0 && !response.destroyed; left -= TOKENS_A_PIECE) {
      await sleep(Math.min(left, TOKENS_A_PIECE) * TOKEN_MS);
      const piece = `${text.slice(0, 20)} `;
      const data = isAnthropic
        ? { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: piece } }
        : { object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content: piece } }] };
      response.write(`${isAnthropic ? 'event: content_block_delta\n' : ''}data: ${JSON.stringify(data)}\n\n`);
    }
    response.end(isAnthropic ? 'event: message_stop\ndata: {"type":"message_stop"}\n\n' : 'data: [DONE]\n\n');
    return;
  }
  // The head comes with the first token, so that the time to it can be seen from outside.
  response.setHeader('Content-Type', 'application/json');
  response.flushHeaders();
  await sleep(tokens * TOKEN_MS);
  const content = isAnthropic
    ? { type: 'message', role: 'assistant', content: [{ type: 'text', text }] }
    : { object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: text } }] };
  response.end(JSON.stringify(content));
}

/** Waits for its turn, reads the prompt and tells in fields of the reply what was cached of it. */
async function read(prompt: Uint8Array, response: ServerResponse): Promise<void> {
  const cached = cache.find(prompt);
  const workMs = (prompt.length - cached) / BYTES_PER_MS;
  freeMs = Math.max(freeMs, performance.now()) + workMs;
  stats.requests += 1;
  stats.promptBytes += prompt.length;
  stats.cachedBytes += cached;
  stats.busyMs += workMs;
  await sleep(freeMs - performance.now());
  cache.keep(prompt);
  response.setHeader('X-Engine', SERVER_ID);
  response.setHeader('X-Prompt-Bytes', prompt.length);
  response.setHeader('X-Cached-Bytes', cached);
}

/** Content that is a text, or a list of parts with texts. */
function textOf(content: unknown): string {
  if (!Array.isArray(content)) return String(content);
  return content.map((part: { text?: string }) => part.text ?? '').join(' ');
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MOST_BODY_BYTES) throw new Error(`a body of more than ${MOST_BODY_BYTES} bytes`);
  }
  return Buffer.concat(pieces).toString();
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
}
