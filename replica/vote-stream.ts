// Sends the counts as they change, as server-sent events. While anybody listens the store is read four times a second,
// once for all listeners. That also finds votes that other replicas counted, and costs four rows of SQLite or one
// command of Redis. Each event has all counts, so the next one makes up for one that was missed.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientOf } from './client.ts';
import { failure, unavailable } from './replies.ts';
import { type Votes, VotesError } from './votes.ts';

export interface VoteStream {
  /** Answers with events until the client leaves or `end` is called. */
  serve(request: IncomingMessage, response: ServerResponse): void;
  /** Ends all streams. Clients come back through the ring, to another replica. */
  end(): void;
}

export interface StreamLimits {
  readonly maxListeners: number;
  /** How many may belong to one client. The attack: one client takes all places (test/replica/vote-stream.test.ts). */
  readonly maxListenersPerClient: number;
  readonly pollMs: number;
  /** A comment is sent after this time without an event, so that nothing on the way takes the connection for dead. */
  readonly keepAliveMs: number;
  /** A client that has left this much unread is cut off. */
  readonly maxUnreadBytes: number;
}

export const STREAM_LIMITS: StreamLimits = {
  maxListeners: 1000,
  maxListenersPerClient: 100,
  pollMs: 250,
  keepAliveMs: 15_000,
  maxUnreadBytes: 65_536,
};

export function createVoteStream(id: string, votes: Votes, limits: StreamLimits): VoteStream {
  // Each listener, and the client that it belongs to.
  const listeners = new Map<ServerResponse, string>();
  let watching = false;
  let ended = false;
  let latest = '';
  let quietSinceMs = 0;

  const send = (text: string) => {
    quietSinceMs = performance.now();
    for (const response of listeners.keys()) {
      if (response.writableLength > limits.maxUnreadBytes) response.destroy();
      else response.write(text);
    }
  };
  const look = async () => {
    const event = await readEvent(votes);
    if (event !== latest) {
      latest = event;
      send(event);
    } else if (performance.now() - quietSinceMs >= limits.keepAliveMs) send(': still here\n\n');
  };
  const countOf = (client: string) => listeners.values().reduce((count, other) => count + Number(other === client), 0);
  const watch = async () => {
    watching = true;
    while (listeners.size > 0) {
      await look();
      await new Promise((resolve) => setTimeout(resolve, limits.pollMs));
    }
    // The next listener may come long after, and must not be told old counts.
    latest = '';
    watching = false;
  };
  return {
    serve: (request, response) => {
      if (ended || listeners.size >= limits.maxListeners) {
        unavailable(response, ended ? 'this replica is leaving' : `${limits.maxListeners} listen already`);
        return;
      }
      const client = clientOf(request);
      if (countOf(client) >= limits.maxListenersPerClient) {
        failure(response, 429, `${limits.maxListenersPerClient} of this client listen already`);
        return;
      }
      response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
      });
      if (request.method === 'HEAD') {
        response.end();
        return;
      }
      listeners.set(response, client);
      response.once('close', () => listeners.delete(response));
      // The wait before a browser comes back, who serves the stream, and what the other listeners know already.
      response.write(`retry: 500\nevent: replica\ndata: ${id}\n\n${latest}`);
      if (!watching) void watch();
    },
    end: () => {
      ended = true;
      for (const response of listeners.keys()) response.end();
    },
  };
}

// Never rejects: listeners are told, too, that the store cannot be read.
async function readEvent(votes: Votes): Promise<string> {
  try {
    return `data: ${JSON.stringify(await votes.counts())}\n\n`;
  } catch (error) {
    const reason = error instanceof VotesError ? error.message : String(error);
    return `event: trouble\ndata: ${JSON.stringify(reason)}\n\n`;
  }
}
