// The balancer's own endpoints: which there are, and the envelope of what they answer. Any other path or method is a request for a
// replica. Changes of the fleet are made one after the other, and answered when they are done. What only shows something is open
// to whoever reaches the port, as /rep is.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../core/ports.ts';
import { originForm } from '../core/request-target.ts';
import { asBalancerError, BalancerError, failureBody } from '../errors.ts';
import type { Log } from '../log.ts';
import { type AccessRules, checkAccess } from './access.ts';
import { addReplicas, type ChangePorts, endsStartsOnly, killReplica, removeReplicas, rep } from './changes.ts';
import { PAGE_FIELDS, readPageFiles } from './dashboard.ts';
import { explainRequest, type InsightPorts, ringPage } from './insight.ts';

export interface AdminPorts extends ChangePorts, InsightPorts {
  readonly log: Log;
  /** That response becomes an event stream. Throws `too-many-watchers`. */
  readonly watch: (response: ServerResponse) => void;
  readonly access: AccessRules;
  /** Why no replica takes requests; `undefined` if one does. */
  readonly whyNone: () => string | undefined;
  readonly clock: Clock;
}

/** Gives the body of the answer, as JSON takes it. */
type Run = (text: string, query: URLSearchParams, client: WaitingClient) => unknown;

interface WaitingClient {
  /** Nobody reads the answer any more. */
  readonly hasGone: () => boolean;
  /** It will send nothing more: most have gone then, some only say that this was all. */
  readonly hasEnded: () => boolean;
}

type AdminRoute =
  | {
      readonly method: string;
      /** It does something to the fleet: not for everybody. */
      readonly changes?: true;
      readonly run: Run;
    }
  /** Writes its answer itself. */
  | { readonly method: 'GET'; readonly changes?: never; readonly write: (response: ServerResponse) => void };

// Longer than most starts take.
const LONGEST_TURN_MS = 5000;
const MAX_BODY_BYTES = 65_536;
const MAX_DROPPED_BYTES = 16 * 2 ** 20;

/** Answers the requests that are the balancer's own; false leaves the request alone. */
export function createAdmin(ports: AdminPorts): (request: IncomingMessage, response: ServerResponse) => boolean {
  const inTurn = queueOfChanges();
  const add: Run = async (text, query) => success(await addReplicas(ports, text, query));
  const remove: Run = async (text, query) => success(await removeReplicas(ports, text, query));
  const removeInTime = withPatience(ports, inTurn, remove);
  const success = (message: unknown) => ({ message, status: 'successful' });
  const routes = new Map<string, AdminRoute>([
    ['/rep', { method: 'GET', run: () => success(rep(ports)) }],
    ['/add', { method: 'POST', changes: true, run: inTurn(add) }],
    ['/rm', { method: 'DELETE', changes: true, run: removeInTime }],
    // Not in turn: a crash does not wait for others either.
    ['/balancer/kill', { method: 'POST', changes: true, run: async (text) => success(await killReplica(ports, text)) }],
    ['/balancer/ready', { method: 'GET', run: () => success(ready(ports)) }],
    ['/balancer/ring', { method: 'GET', run: () => ringPage(ports) }],
    ['/balancer/explain', { method: 'POST', run: (text) => explainRequest(ports, text) }],
    ['/balancer/events', { method: 'GET', write: ports.watch }],
    ['/balancer', { method: 'GET', write: (response) => response.writeHead(308, { Location: '/balancer/' }).end() }],
    ...[...readPageFiles()].map(([path, { type, bytes }]): [string, AdminRoute] => [
      path,
      {
        method: 'GET',
        write: (response) =>
          response.writeHead(200, { ...PAGE_FIELDS, 'Content-Type': type, 'Content-Length': bytes.length }).end(bytes),
      },
    ]),
  ]);
  return (request, response) => {
    const { path, query } = parseTarget(request.url ?? '');
    const route = routes.get(path);
    if (route === undefined || route.method !== request.method) return false;
    void answer(ports, route, query, request, response);
    return true;
  };
}

// For whoever sends requests here, or restarts what does not answer.
function ready({ whyNone }: AdminPorts): string {
  const reason = whyNone();
  if (reason !== undefined) throw new BalancerError('no-replica', reason);
  return 'ready';
}

// Changes one after the other. One that is under way is done to its end, whether its client waits or not: half a change would be
// worse. One that has to wait is not begun once its client has given it up, which may have asked again meanwhile.
function queueOfChanges(): (change: Run) => Run {
  let last: Promise<unknown> = Promise.resolve();
  let underWay = 0;
  return (change) => (text, query, client) => {
    const hadToWait = underWay > 0;
    underWay += 1;
    const turn = last.then(() => {
      if (client.hasGone() || (hadToWait && client.hasEnded())) {
        throw new BalancerError('change-given-up', 'the client went before its change was begun: nothing was changed');
      }
      return change(text, query, client);
    });
    last = turn
      .catch(() => undefined)
      .finally(() => {
        underWay -= 1;
      });
    return turn;
  };
}

// What ends a start that hangs must not wait for the change that waits for that start.
function withPatience(ports: AdminPorts, inTurn: (change: Run) => Run, remove: Run): Run {
  return async (...asked) => {
    let done: unknown;
    const once = () => {
      done ??= remove(...asked);
      return done;
    };
    const turn = inTurn(once)(...asked) as Promise<unknown>;
    if (!endsStartsOnly(ports, asked[0])) return turn;
    const answered = new AbortController();
    const outOfTurn = ports.clock.sleep(LONGEST_TURN_MS, answered.signal).then(
      () => (endsStartsOnly(ports, asked[0]) ? once() : turn),
      () => turn,
    );
    return Promise.race([turn, outOfTurn]).finally(() => answered.abort());
  };
}

async function answer(
  ports: AdminPorts,
  route: AdminRoute,
  query: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    if (route.changes) checkAccess(request, ports.access);
    if (request.headers.expect !== undefined) response.writeContinue();
    if ('write' in route) {
      route.write(response);
      return;
    }
    const text = route.method === 'GET' ? '' : await readBody(request);
    const client = { hasGone: () => response.destroyed, hasEnded: () => request.socket.readableEnded };
    reply(response, 200, JSON.stringify(await route.run(text, new URLSearchParams(query), client)));
  } catch (thrown) {
    const error = asBalancerError(thrown);
    ports.log.error('admin-refused', { method: request.method, url: request.url, reason: error.message });
    // What it must show, by the challenge that RFC 9110, 15.5.2 asks for.
    if (error.status === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="ringmaster"');
    // The attack: a body without an end (test/end-to-end/contract.test.ts). What is not read to its end cannot be followed by another
    // request, and is cut off.
    if (error.code === 'body-too-large' && !request.complete) response.setHeader('Connection', 'close');
    reply(response, error.status, failureBody(error.message));
  }
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

function parseTarget(url: string): { path: string; query: string } {
  const target = originForm(url);
  const mark = target.indexOf('?');
  return mark === -1 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) };
}
