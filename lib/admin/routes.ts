// The balancer's own endpoints and the form of their answers. Any other path or method is a request for a replica.
// Changes of the fleet are made one after the other and answered when they are done. Endpoints that only show something
// are open to anybody who reaches the port, as /rep is.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Digest } from '../core/members/agreement.ts';
import { asBalancerError, BalancerError } from '../errors.ts';
import { originForm, pathOf } from '../http/target.ts';
import { type AccessRules, checkAccess, checkCredentials } from './access.ts';
import {
  type Answer,
  type AnswerLimits,
  failureAnswer,
  hasBody,
  json,
  jsonAnswer,
  readBody,
  send,
  success,
  waitsToSend,
  withLineEnd,
} from './answer.ts';
import {
  changesHere,
  type InTurn,
  oneAtATime,
  queueOfChanges,
  type Run,
  type WaitingClient,
  withPatience,
  workInTurn,
} from './change-queue.ts';
import {
  addReplicas,
  type ChangePorts,
  checkQuery,
  endsStartsOnly,
  killReplica,
  removeReplicas,
  rep,
} from './changes.ts';
import { PAGE_FIELDS, type PageFile, readPageFiles } from './dashboard.ts';
import type { Watcher } from './feed/live-feed.ts';
import { watcherOf } from './feed/watcher.ts';
import { createRingPage, explainRequest, hotKeys, type InsightPorts } from './insight.ts';
import { parseLoad } from './load/load-body.ts';
import type { LoadGenerator } from './load/load-generator.ts';
import type { MetricsFacts } from './metrics/facts.ts';
import { createMetricsPage } from './metrics/metrics-page.ts';
import {
  asksToHold,
  drainReplica,
  live,
  type OperationPorts,
  pause,
  ready,
  resume,
  rollReplicas,
  undrainReplica,
} from './operations.ts';
import { createWhatIf, type WhatIfPorts } from './what-if/what-if.ts';

export interface AdminPorts extends ChangePorts, InsightPorts, OperationPorts, WhatIfPorts {
  /** Turns the response into an event stream. Throws `too-many-watchers`. */
  readonly watch: (response: ServerResponse, watcher: Watcher) => void;
  /** The address that a request comes from, according to a trusted proxy if there is one. */
  readonly originOf: (request: IncomingMessage) => string;
  /** The endpoints have a listener of their own. */
  readonly alone: boolean;
  readonly access: AccessRules;
  readonly answerLimits: AnswerLimits;
  /** Reads the configuration file again, and has all parts go by it; with `isDryRun`, says what that would do. */
  readonly reload: (isDryRun: boolean) => Promise<unknown>;
  readonly upgrade: {
    /**
     * Has another process take the place of this one. Throws `upgrade-refused` or `upgrade-failed`.
     * @param inTurn does that during which no change may be made.
     */
    readonly run: (inTurn: InTurn) => Promise<object>;
    /** How the process ends whose place this one took; `null` if there was none. */
    readonly last: () => object | null;
  };
  readonly metrics: () => Promise<MetricsFacts>;
  /** What decides where keys lead, for other balancers to compare. */
  readonly digest: () => Digest;
  /** Why the fleet is not changed here, and where it is; `undefined` if it is changed here. */
  readonly whyNotHere: () => string | undefined;
  readonly load: LoadGenerator;
  /** What there is to show of autoscaling; `undefined` if it is off. */
  readonly autoscale: () => object | undefined;
}

export interface Admin {
  /** The method of each endpoint, by its path. */
  readonly endpoints: ReadonlyMap<string, string>;
  /** Gives what answers a request for one of the balancer's own endpoints; `undefined` for any other request. */
  ownAnswer(request: IncomingMessage): ((response: ServerResponse) => void) | undefined;
  /** Answers every request, for a port that serves only these endpoints. */
  answer(request: IncomingMessage, response: ServerResponse): void;
  /**
   * What an endpoint answers to that body, for the program that this runs in, which may do everything. Changes wait for
   * their turn. Resolves with the parsed body of the answer; rejects with a BalancerError.
   * @param query of the target, without its `?`.
   */
  call(path: CallPath, body: unknown, query?: string): Promise<unknown>;
}

/** The endpoints that a program may call without HTTP. */
export type CallPath =
  | '/add'
  | '/rm'
  | '/balancer/reload'
  | '/balancer/ring'
  | '/balancer/explain'
  | '/balancer/upgrade';

// The program that calls is there to take the answer.
const PRESENT: WaitingClient = { hasGone: () => false, hasEnded: () => false };

type AdminRoute =
  | {
      readonly method: string;
      /** The endpoint acts on the fleet or on all traffic, or tells much of it, so not everybody may use it. */
      readonly changes?: true;
      readonly run: Run;
    }
  /** The answer depends on what the client accepts. */
  | {
      readonly method: 'GET';
      readonly changes?: never;
      readonly show: (accept: string | undefined) => Promise<Answer>;
    }
  /** The answer is a stream without an end. */
  | {
      readonly method: 'GET';
      readonly changes?: never;
      readonly stream: (request: IncomingMessage, response: ServerResponse) => void;
    };

/** What answers a request that is for no endpoint, where there is nothing else: it says what is there. */
function nowhere(path: string, route: AdminRoute | undefined, paths: readonly string[]): AdminRoute {
  // Parts of the page are no endpoints that somebody would ask for.
  const named = paths.filter((one) => !/\.\w+$/.test(one)).join(', ');
  const there = route === undefined ? `there are ${named}` : `${path} takes ${route.method}`;
  return {
    method: '',
    run: () => {
      throw new BalancerError('no-endpoint', `this port has only the endpoints of the balancer: ${there}`);
    },
  };
}

export function createAdmin(ports: AdminPorts): Admin {
  const routes = routesOf(ports);
  const find = (request: IncomingMessage) => {
    const { path, query } = parseTarget(request.url ?? '');
    const route = routes.get(path);
    return { route: route?.method === request.method ? route : undefined, path, named: route, query };
  };
  return {
    endpoints: new Map([...routes].map(([path, { method }]) => [path, method])),
    ownAnswer: (request) => {
      const { route, query } = find(request);
      if (route === undefined) return undefined;
      return (response) => void answer(ports, route, query, request, response);
    },
    answer: (request, response) => {
      const { route, path, named, query } = find(request);
      void answer(ports, route ?? nowhere(path, named, [...routes.keys()]), query, request, response);
    },
    call: async (path, body, query = '') => {
      const { run } = routes.get(path) as { run: Run };
      try {
        const { parts } = await run(JSON.stringify(body ?? {}), new URLSearchParams(query), PRESENT);
        return JSON.parse(Buffer.concat(parts).toString());
      } catch (error) {
        throw asBalancerError(error);
      }
    },
  };
}

function routesOf(ports: AdminPorts): Map<string, AdminRoute> {
  const inTurn = queueOfChanges();
  const here = changesHere(ports.whyNotHere);
  const add: Run = async (text, query) => success(await addReplicas(ports, text, query));
  const remove: Run = async (text, query) => success(await removeReplicas(ports, text, query));
  const kill: Run = async (text) => success(await killReplica(ports, text));
  const drain: Run = async (text) => success(await drainReplica(ports, text));
  const undrain: Run = async (text) => success(await undrainReplica(ports, text));
  const isOfStarts = (text: string) => endsStartsOnly(ports, text);
  const removeInTime = withPatience(ports.answerLimits.clock, inTurn, isOfStarts, remove);
  const upgrade = oneAtATime(
    async () => success(await ports.upgrade.run(workInTurn(inTurn))),
    () => new BalancerError('upgrade-refused', 'an upgrade is under way'),
  );
  const reload: Run = async (_text, query) => {
    checkQuery(query, 'dry-run');
    return success(await ports.reload(query.has('dry-run')));
  };
  const roll = oneAtATime(
    inTurn(async (text) => success(await rollReplicas(ports, text))),
    () => new BalancerError('roll-refused', 'a roll is under way: GET /balancer/rolled says how far'),
  );
  const rollOrHold: Run = (text, ...asked) => (asksToHold(text) ? success(ports.roll.hold()) : roll(text, ...asked));
  const load: Run = (text) => {
    ports.load.change(parseLoad(text));
    return success(ports.load.facts);
  };
  const ringPage = createRingPage(ports);
  return new Map<string, AdminRoute>([
    ['/rep', { method: 'GET', run: () => success(rep(ports)) }],
    ['/add', { method: 'POST', changes: true, run: here(inTurn(add)) }],
    ['/rm', { method: 'DELETE', changes: true, run: here(removeInTime) }],
    ['/balancer/reload', { method: 'POST', changes: true, run: inTurn(reload) }],
    // A crash does not wait its turn either.
    ['/balancer/kill', { method: 'POST', changes: true, run: here(kill) }],
    ['/balancer/upgrade', { method: 'POST', changes: true, run: upgrade }],
    ['/balancer/upgraded', { method: 'GET', run: () => success(ports.upgrade.last()) }],
    ['/balancer/drain', { method: 'POST', changes: true, run: here(drain) }],
    ['/balancer/undrain', { method: 'POST', changes: true, run: here(undrain) }],
    ['/balancer/pause', { method: 'POST', changes: true, run: async (text) => success(await pause(ports, text)) }],
    ['/balancer/resume', { method: 'POST', changes: true, run: async (text) => success(await resume(ports, text)) }],
    ['/balancer/roll', { method: 'POST', changes: true, run: here(rollOrHold) }],
    ['/balancer/load', { method: 'POST', changes: true, run: load }],
    ['/balancer/rolled', { method: 'GET', run: () => success(ports.roll.progress) }],
    ['/balancer/autoscale', { method: 'GET', run: () => success(ports.autoscale() ?? null) }],
    ['/balancer/live', { method: 'GET', run: async () => success(await live(ports)) }],
    ['/balancer/ready', { method: 'GET', run: async () => success(await ready(ports)) }],
    ['/balancer/ring', { method: 'GET', run: async () => jsonAnswer(...(await ringPage())) }],
    ['/balancer/digest', { method: 'GET', run: () => json(ports.digest()) }],
    ['/balancer/keys', { method: 'GET', run: async () => json(await hotKeys(ports)) }],
    ['/balancer/metrics', { method: 'GET', show: createMetricsPage(ports.answerLimits.clock, ports.metrics) }],
    ['/balancer/explain', { method: 'POST', run: async (text) => json(await explainRequest(ports, text)) }],
    // It changes nothing. But it takes a while of a processor, and it tells whose keys come how often.
    ['/balancer/what-if', { method: 'POST', changes: true, run: createWhatIf(ports) }],
    [
      '/balancer/events',
      { method: 'GET', stream: (request, response) => ports.watch(response, watcherOf(ports, request)) },
    ],
    ['/balancer', { method: 'GET', run: () => ({ status: 308, fields: { Location: '/balancer/' }, parts: [] }) }],
    ...[...readPageFiles()].map(([path, file]): [string, AdminRoute] => [
      path,
      { method: 'GET', run: () => pageAnswer(file) },
    ]),
  ]);
}

function pageAnswer({ type, bytes }: PageFile): Answer {
  return { status: 200, fields: { ...PAGE_FIELDS, 'Content-Type': type }, parts: [bytes] };
}

async function answer(
  ports: AdminPorts,
  route: AdminRoute,
  query: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const limits = ports.answerLimits;
  const give = (made: Answer) => send(response, withLineEnd(made, request.url ?? ''), limits);
  try {
    const refusal = refusalOf(ports, route, request);
    if (hasBody(request) && waitsToSend(request)) {
      if (refusal !== undefined) throw refusal;
      response.writeContinue();
    }
    // The body is read even if it is not needed or the request is refused: unread, it would be read later without a
    // limit.
    const text = hasBody(request) ? await readBody(request, limits) : '';
    if (refusal !== undefined) throw refusal;
    const client = { hasGone: () => response.destroyed, hasEnded: () => request.socket.readableEnded };
    if ('stream' in route) route.stream(request, response);
    else if ('show' in route) give(await route.show(request.headers.accept));
    else give(await route.run(text, new URLSearchParams(query), client));
  } catch (thrown) {
    const error = asBalancerError(thrown);
    // That there is nothing good to show is no fault of showing it: probes ask whether all is well.
    const isFault = 'changes' in route && !error.isOfClient && !response.destroyed;
    const write = isFault ? ports.log.error : ports.log.info;
    write('admin-refused', { method: request.method, url: request.url, reason: error.message });
    if (!response.headersSent && !response.destroyed) give(failureAnswer(error));
  }
}

function refusalOf(ports: AdminPorts, route: AdminRoute, request: IncomingMessage): BalancerError | undefined {
  try {
    checkCredentials(request);
    if (route.changes) checkAccess(request, ports.access);
    return undefined;
  } catch (thrown) {
    return asBalancerError(thrown);
  }
}

function parseTarget(url: string): { path: string; query: string } {
  const target = originForm(url);
  const path = pathOf(target);
  return { path, query: target.slice(path.length + 1) };
}
