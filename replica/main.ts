// Process entry of a replica: reads its environment, listens, and ends on SIGTERM when its open requests are answered.
//
//   SERVER_ID   the hostname by which it introduces itself
//   LISTEN      `unix:/path/of.sock` or `[host:]port`; the port in PORT if not given, or 5000, of all addresses
//   DATA_DIR    directory of the SQLite file in which the votes are kept; ./data if not given
//   VOTES_URL   keep them in this Redis instead: redis[s]://[[user]:password@]host[:port][/database]
//   VOTES_URL_FILE  a file that has it, such as a secret of a Swarm

import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { hostname } from 'node:os';
import { readKnobs, withKnobs } from './knobs.ts';
import { createService } from './service.ts';
import { sqliteVotes } from './sqlite-votes.ts';
import { createVoteStream, STREAM_LIMITS } from './vote-stream.ts';
import type { Votes } from './votes.ts';

// Without this, Node would open its inspector to any process of this user on this signal.
process.on('SIGUSR1', () => undefined);

const id = process.env.SERVER_ID ?? hostname();
const knobs = readKnobs(process.env, id);
const votes = await openVotes(process.env);
const stream = createVoteStream(id, votes, STREAM_LIMITS);
const server = http.createServer(
  {
    // Longer than a balancer keeps an idle connection, so that the replica never closes one that is about to be used.
    keepAliveTimeout: 75_000,
    maxHeaderSize: 65_536,
  },
  withKnobs(knobs, createService(id, votes, stream)),
);

let closing = false;
server.on('request', (_request, response) => {
  // `server.close` ends idle connections only once. Those with open requests become idle later.
  response.once('close', () => closing && setImmediate(() => server.closeIdleConnections()));
});
process.on('SIGTERM', () => {
  closing = true;
  stream.end();
  server.close(() => {
    votes.close();
    process.exit(0);
  });
});

const listen = process.env.LISTEN ?? process.env.PORT ?? '5000';
// A Unix socket refuses at once what does not fit into its queue. The kernel lowers this to what it allows.
const backlog = 4096;
const announce = () => console.log(JSON.stringify({ event: 'replica-listening', id, listen }));
const begin = () => {
  if (listen.startsWith('unix:')) {
    server.listen({ path: listen.slice('unix:'.length), backlog }, announce);
  } else {
    const [port = '5000', host = '0.0.0.0'] = listen.split(':').reverse();
    server.listen({ host, port: Number(port), backlog }, announce);
  }
};
setTimeout(begin, knobs.startDelayMs);

async function openVotes({
  VOTES_URL = '',
  VOTES_URL_FILE = '',
  DATA_DIR = 'data',
}: NodeJS.ProcessEnv): Promise<Votes> {
  if (VOTES_URL === '' && VOTES_URL_FILE === '') return sqliteVotes(DATA_DIR);
  try {
    const url = VOTES_URL === '' ? readFileSync(VOTES_URL_FILE, 'utf8').trim() : VOTES_URL;
    // Loaded only if needed: the votes in SQLite need no package, and the client takes 0.2 s to load.
    const { redisVotes } = await import('./redis-votes.ts');
    return redisVotes(url);
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    // As a part of a package that is installed it has no manifest of its own.
    const isCheckout = existsSync(new URL('package.json', import.meta.url));
    const how = isCheckout ? `npm ci --prefix ${import.meta.dirname}` : 'npm install @redis/client';
    const advice = `VOTES_URL takes the package @redis/client: ${how}`;
    console.error(`replica: ${isMissing ? advice : error instanceof Error ? error.message : error}`);
    process.exit(2);
  }
}
