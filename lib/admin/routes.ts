// The balancer's own endpoints: GET /rep, POST /add, DELETE /rm. Any other path or method is a request for a replica. Changes
// of the fleet are made one after the other, and answered when they are done.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ReplicaRef } from '../core/ports.ts';
import { sameHostname } from '../core/replica-name.ts';
import { asBalancerError, BalancerError, failureBody } from '../errors.ts';
import type { Log } from '../log.ts';
import { parseChange } from './bodies.ts';

/** What the endpoints need of the fleet. */
export interface AdminPorts {
  /** The replicas in the order in which they joined. */
  readonly members: () => readonly ReplicaRef[];
  readonly add: (hostnames: readonly (string | undefined)[]) => Promise<void>;
  readonly remove: (replicas: readonly ReplicaRef[]) => Promise<void>;
  /** A whole number from 0 to below `limit`. */
  readonly random: (limit: number) => number;
  readonly log: Log;
  readonly maxReplicas: number;
  /** Why the fleet cannot be changed at all, if it cannot. */
  readonly fixedBecause: string | undefined;
}

type Run = (request: IncomingMessage, response: ServerResponse) => Promise<Rep>;

/** What /rep shows. */
interface Rep {
  readonly N: number;
  readonly replicas: readonly string[];
}

const TOO_MANY_TO_ADD = 'Length of hostname list is more than newly added instances';
const TOO_MANY_TO_REMOVE = 'Length of hostname list is more than removable instances';
const MAX_BODY_BYTES = 65_536;
const MAX_DROPPED_BYTES = 16 * 2 ** 20;

/** Answers the requests that are the balancer's own; false leaves the request alone. */
export function createAdmin(ports: AdminPorts): (request: IncomingMessage, response: ServerResponse) => boolean {
  let changes: Promise<unknown> = Promise.resolve();
  const inTurn = (change: () => Promise<Rep>): Promise<Rep> => {
    const turn = changes.then(change);
    changes = turn.catch(() => undefined);
    return turn;
  };
  const change =
    (apply: (text: string) => Promise<void>) => async (request: IncomingMessage, response: ServerResponse) => {
      if (request.headers.expect !== undefined) response.writeContinue();
      const text = await readBody(request);
      if (ports.fixedBecause !== undefined) throw new BalancerError('bad-body', ports.fixedBecause);
      // The answer is taken before the next change begins.
      return inTurn(async () => {
        await apply(text);
        return rep(ports);
      });
    };
  const routes = new Map<string, { method: string; run: Run }>([
    ['/rep', { method: 'GET', run: async () => rep(ports) }],
    ['/add', { method: 'POST', run: change((text) => add(ports, text)) }],
    ['/rm', { method: 'DELETE', run: change((text) => remove(ports, text)) }],
  ]);
  return (request, response) => {
    const route = routes.get(pathOf(request.url ?? ''));
    if (route === undefined || route.method !== request.method) return false;
    void answer(ports, route.run, request, response);
    return true;
  };
}

async function answer(ports: AdminPorts, run: Run, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    reply(response, 200, JSON.stringify({ message: await run(request, response), status: 'successful' }));
  } catch (thrown) {
    const error = asBalancerError(thrown);
    ports.log.error('change-refused', { method: request.method, url: request.url, reason: error.message });
    reply(response, error.status, failureBody(error.message));
  }
}

function rep(ports: AdminPorts): Rep {
  const replicas = ports.members().map((replica) => replica.hostname);
  return { N: replicas.length, replicas };
}

async function add(ports: AdminPorts, text: string): Promise<void> {
  const { n, hostnames } = parseChange(text, TOO_MANY_TO_ADD);
  const present = ports.members();
  // A script that repeats itself gets what it asked for: a name that is there counts as added.
  const missing = hostnames.filter((hostname) => !present.some((one) => sameHostname(one.hostname, hostname)));
  const unnamed = n - hostnames.length;
  const room = ports.maxReplicas - present.length;
  if (missing.length + unnamed > room) {
    throw new BalancerError(
      'bad-body',
      `n must be at most ${room} now: there are ${present.length} replicas and the limit is ${ports.maxReplicas}, not ${n}`,
    );
  }
  if (missing.length + unnamed === 0) return;
  await ports.add([...missing, ...new Array<undefined>(unnamed)]);
}

async function remove(ports: AdminPorts, text: string): Promise<void> {
  const { n, hostnames } = parseChange(text, TOO_MANY_TO_REMOVE);
  const present = ports.members();
  const chosen = present.filter((one) => hostnames.some((hostname) => sameHostname(hostname, one.hostname)));
  const others = present.filter((one) => !chosen.includes(one));
  // More than there are means all: scripts clean up this way.
  while (chosen.length < n && others.length > 0) chosen.push(...others.splice(ports.random(others.length), 1));
  if (chosen.length > 0) await ports.remove(chosen);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request) {
    sizeBytes += chunk.length;
    if (sizeBytes <= MAX_BODY_BYTES) chunks.push(chunk);
    // A body that is somewhat too large is read to its end, so that its client reads the answer.
    else if (sizeBytes > MAX_DROPPED_BYTES) break;
  }
  if (sizeBytes > MAX_BODY_BYTES) {
    throw new BalancerError('body-too-large', `the body is larger than ${MAX_BODY_BYTES} bytes`);
  }
  return Buffer.concat(chunks).toString();
}

function reply(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}

// Of an absolute target too (RFC 9112, 3.2.2).
function pathOf(url: string): string {
  const path = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?#]*/i, '');
  const query = path.indexOf('?');
  return query === -1 ? path : path.slice(0, query);
}
