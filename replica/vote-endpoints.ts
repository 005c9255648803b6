// POST /api/vote and GET /api/votes: checks what is refused, and says what each trouble of the store means to a client.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { isForeignPage } from './foreign-page.ts';
import { failure, success, unavailable } from './replies.ts';
import { isOption, OPTIONS, type Vote, type Votes, VotesError } from './votes.ts';

const MAX_BODY_BYTES = 4096;
const MAX_KEY_CHARACTERS = 200;

export async function showVotes(response: ServerResponse, votes: Votes): Promise<void> {
  try {
    const counts = await votes.counts();
    response.setHeader('Cache-Control', 'no-store');
    success(response, counts);
  } catch (error) {
    unavailable(response, `the votes cannot be read: ${describe(error)}`);
  }
}

export async function takeVote(request: IncomingMessage, response: ServerResponse, votes: Votes): Promise<void> {
  if (isForeignPage(request.headers)) {
    failure(response, 403, 'the vote was not counted: it comes from a page of another site');
    return;
  }
  let vote: Vote;
  try {
    vote = parseVote(await readBody(request), request.headers['idempotency-key']);
  } catch (error) {
    failure(response, 400, describe(error));
    return;
  }
  try {
    success(response, { votes: await votes.add(vote) });
  } catch (error) {
    refuseVote(response, error);
  }
}

function refuseVote(response: ServerResponse, error: unknown): void {
  const code = error instanceof VotesError ? error.code : 'unavailable';
  const reason = describe(error);
  if (code === 'unavailable') unavailable(response, `the vote was not counted: ${reason}`);
  // The draft on Idempotency-Key asks for RFC 9110, 15.5.21.
  else if (code === 'key-reused') failure(response, 422, `the vote was not counted: ${reason}`);
  // No Retry-After: a client that obeys it may have sent no key, and would vote twice.
  else
    failure(response, 503, `the vote may have been counted: ${reason}; with an Idempotency-Key it is safe to repeat`);
}

function parseVote(body: string, key: string | string[] | undefined): Vote {
  let option: unknown;
  try {
    option = JSON.parse(body)?.option;
  } catch (error) {
    throw new Error(`the body is not a vote: ${describe(error)}`);
  }
  if (!isOption(option)) throw new Error(`option must be one of ${OPTIONS.join(', ')}, not ${JSON.stringify(option)}`);
  // A missing key is no error, since older clients send none.
  if (key === undefined) return { option, key };
  if (typeof key !== 'string' || !/^[!-~]+$/.test(key) || key.length > MAX_KEY_CHARACTERS) {
    throw new Error(`Idempotency-Key must be 1 to ${MAX_KEY_CHARACTERS} visible ASCII characters`);
  }
  return { option, key };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  // The request is not destroyed if its body is refused, since the answer has to go out on the same connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_BODY_BYTES)
      throw new Error(`the body is not a vote: it is longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
