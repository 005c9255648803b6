// Process entry of a replica: reads its environment, listens, and ends on SIGTERM as soon as its open requests are answered.
//
//   SERVER_ID   the hostname by which it introduces itself
//   LISTEN      `unix:/path/of.sock` or `[host:]port`; 0.0.0.0:5000 if not given
//   DATA_DIR    where the votes are kept; ./data if not given

import http from 'node:http';
import { hostname } from 'node:os';
import { readKnobs, withKnobs } from './knobs.ts';
import { createService } from './service.ts';
import { openVotes } from './votes.ts';

const id = process.env.SERVER_ID ?? hostname();
const knobs = readKnobs(process.env, id);
const votes = openVotes(process.env.DATA_DIR ?? 'data');
const server = http.createServer(
  {
    // Longer than a balancer keeps an idle connection, so that it is never the replica that closes one it is about to use.
    keepAliveTimeout: 75_000,
    maxHeaderSize: 65_536,
  },
  withKnobs(knobs, createService(id, votes)),
);

let closing = false;
server.on('request', (_request, response) => {
  // `server.close` ends idle connections once; those of open requests become idle later.
  response.once('close', () => closing && setImmediate(() => server.closeIdleConnections()));
});
process.on('SIGTERM', () => {
  closing = true;
  server.close(() => {
    votes.close();
    process.exit(0);
  });
});

const listen = process.env.LISTEN ?? '5000';
// A Unix socket refuses at once what does not fit into its queue; the kernel cuts this down to what it allows.
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
