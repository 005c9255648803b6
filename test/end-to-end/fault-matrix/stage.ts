// Plays the fault matrix: the real program, and a real server behind a relay for each cell. Each cell has a seat and a
// key of its own, so that all can be played at once. Other seats have a server that nothing befalls.

import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openBacklogs } from '../../../bench/harness/full-backlog.ts';
import { type Program, startProgram } from '../../../bench/harness/program.ts';
import { openRelay } from '../../../bench/harness/relay.ts';
import { mixed } from '../../../lib/core/ring/hashes/mixed.ts';
import { hashText } from '../../../lib/core/ring/hashes/text.ts';
import { ringPolicy } from '../../../lib/core/ring/policy.ts';
import { HashRing, type RingPoint } from '../../../lib/core/ring/ring.ts';
import { type Answered, openBystanders } from './bystanders.ts';
import { BODY_TIMEOUT_MS, CELLS, type Cell, CONNECT_TIMEOUT_MS, REPLY_TIMEOUT_MS } from './cells.ts';

/** What was seen of a cell. */
export interface Played {
  readonly cell: Cell;
  /** An `Outcome`, or what came in place of one. */
  readonly outcome: string | number;
  readonly tookMs: number;
  /** The least that it must have taken. */
  readonly leastMs: number;
  readonly suspected: boolean;
  /** How often a server has got the whole request. */
  readonly executed: number;
}

export interface MatrixStage {
  /** Sends that many requests a second to a server that nothing befalls, until the function is called. */
  bystanders(perSecond: number): () => Promise<Answered>;
  /** The same, but past the balancer. */
  pastBalancer(perSecond: number): () => Promise<Answered>;
  /** Plays all cells, once. */
  play(): Promise<Played[]>;
  close(): Promise<void>;
}

// More than a relay passes before a fault in a body, and less than is kept.
const BODY = Buffer.alloc(1024, 'body');
const PLAIN_SEATS = 6;
const PLAIN_WEIGHT = 16;
const SLOTS = 4096;
const HEADER = 'x-key';
// Cells begin one after the other, so that they do not take the time of the requests beside them all at once.
const APART_MS = 20;
const SYN_AGAIN_MS = 1000;
// Timers of Node and the system count from when a turn of the loop, or a tick, began.
const EARLY_MS = 30;
const SUSPICION_LIMIT_MS = 5000;
const LOOK_EVERY_MS = 10;

/** An address for each cell, and what is to be done around its request. */
interface Harm {
  readonly addresses: ReadonlyMap<Cell, string>;
  begin(): Promise<void>;
  /** Call it when all cells have begun. */
  begun(): Promise<void>;
  /** Call it when the client has the head of the reply. */
  headCame(cell: Cell): void;
  delayedMs(cell: Cell): number;
  close(): Promise<void>;
}

export async function openStage(): Promise<MatrixStage> {
  const executed = new Map<string, number>();
  const harmed = await startServer('harmed', executed);
  const plain = await Promise.all(Array.from({ length: PLAIN_SEATS }, () => startServer('plain', executed)));
  const harm = await openHarm(harmed.port);
  const bystanders = await openBystanders();
  const besideName = `127.0.0.1:${bystanders.port}`;
  const upstream = [
    besideName,
    ...plain.map(({ port }) => `127.0.0.1:${port}*${PLAIN_WEIGHT}`),
    ...CELLS.map((cell) => addressOf(harm, cell)),
  ];
  const program = await startProgram([
    ...['--upstream', upstream.join(), '--heartbeat-path', 'off', '--key', `header:${HEADER}`],
    // A ring like chance: each seat has many others behind it.
    ...['--hash', 'mixed', '--slots', `${SLOTS}`, '--retry-budget', '10'],
    ...['--connect-timeout', `${CONNECT_TIMEOUT_MS}ms`, '--reply-timeout', `${REPLY_TIMEOUT_MS}ms`],
    ...['--body-timeout', `${BODY_TIMEOUT_MS}ms`, '--replica-idle-timeout', '200ms'],
  ]);
  const names = new Set(plain.map(({ port }) => `127.0.0.1:${port}`));
  const { keys, besideKey } = await findKeys(program, harm, names, besideName);
  return {
    bystanders: (perSecond) => bystanders.send(program.url, { [HEADER]: besideKey }, perSecond),
    pastBalancer: (perSecond) => bystanders.send(`http://${besideName}`, {}, perSecond),
    play: async () => {
      executed.clear();
      // A connection that is still kept has its fault behind it.
      while ((await harmed.connections()) > 0) await sleep(LOOK_EVERY_MS);
      const from = program.log.length;
      await harm.begin();
      const playing = CELLS.map(async (cell, index) => {
        await sleep(index * APART_MS);
        return { cell, ...(await ask(program.port, cell, keys.get(cell) ?? '', harm)) };
      });
      await harm.begun();
      const seen = await Promise.all(playing);
      await untilSuspected(program, from, harm);
      return seen.map((one) => ({
        ...one,
        leastMs: leastOf(one.cell, harm),
        suspected: isSuspected(program, from, addressOf(harm, one.cell)),
        executed: executed.get(pathOf(one.cell)) ?? 0,
      }));
    },
    close: async () => {
      await program.stop();
      await Promise.all([bystanders.close(), harm.close(), harmed.close(), ...plain.map((one) => one.close())]);
    },
  };
}

// Which relay, or which port, does a cell have? A refused connect takes no relay, but a port on which nobody listens.
async function openHarm(targetPort: number): Promise<Harm> {
  const isDropped = ({ wait }: Cell) => wait === 'second-syn';
  const isUnanswered = ({ phase, wait }: Cell) => phase === 'connect' && wait === 'connect-timeout';
  const isRefused = ({ fault, phase }: Cell) => phase === 'connect' && fault === 'reset';
  const dropped = await openBacklogs(targetPort, CELLS.filter(isDropped).length);
  const unanswered = await openBacklogs(targetPort, CELLS.filter(isUnanswered).length);
  const addresses = new Map<Cell, string>();
  for (const [index, cell] of CELLS.filter(isDropped).entries()) {
    addresses.set(cell, `127.0.0.1:${dropped.ports[index]}`);
  }
  for (const [index, cell] of CELLS.filter(isUnanswered).entries()) {
    addresses.set(cell, `127.0.0.1:${unanswered.ports[index]}`);
  }
  // The discard port.
  for (const [index, cell] of CELLS.filter(isRefused).entries()) addresses.set(cell, `127.0.0.${index + 1}:9`);
  const heads = new EventEmitter();
  const relayed = await Promise.all(
    CELLS.filter((cell) => !addresses.has(cell)).map(async (cell) => {
      // Otherwise the balancer might read the fault together with the head, and could still say 502.
      const passed = cell.phase === 'reply body' ? () => once(heads, pathOf(cell)) : undefined;
      return [cell, await openRelay(targetPort, cell, passed)] as const;
    }),
  );
  const relays = new Map(relayed);
  for (const [cell, { port }] of relays) addresses.set(cell, `127.0.0.1:${port}`);
  return {
    addresses,
    begin: async () => void (await Promise.all([dropped.fill(), unanswered.fill()])),
    begun: async () => {
      await dropped.awaited();
      dropped.accept();
    },
    headCame: (cell) => void heads.emit(pathOf(cell)),
    delayedMs: (cell) => relays.get(cell)?.delayedMs ?? 0,
    close: async () => {
      await Promise.all([dropped.close(), unanswered.close(), ...relayed.map(([, relay]) => relay.close())]);
    },
  };
}

function addressOf(harm: Harm, cell: Cell): string {
  return harm.addresses.get(cell) ?? '';
}

// By what a server knows which cell it is asked about.
function pathOf(cell: Cell): string {
  return `/${CELLS.indexOf(cell)}`;
}

async function startServer(name: string, executed: Map<string, number>) {
  const server = http.createServer(async (request, response) => {
    const digest = createHash('sha256');
    try {
      for await (const bytes of request) digest.update(bytes);
    } catch {
      // The request broke off.
      return;
    }
    const { url = '' } = request;
    executed.set(url, (executed.get(url) ?? 0) + 1);
    // Without a length it is sent in chunks, so that garbage shows.
    response.write(`${name} ${digest.digest('hex')} `.padEnd(BODY.length, '.'));
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => promisify(server.getConnections).call(server) as Promise<number>,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// A key for each cell whose requests go to its seat, and from there to one that nothing befalls. The ring tells that as
// the balancer has it.
async function findKeys(program: Program, harm: Harm, plain: ReadonlySet<string>, besideName: string) {
  const { points } = (await program.json('/balancer/ring')).body as { points: (RingPoint & { replica: string })[] };
  const names = new Map(points.map(({ seat, replica }) => [seat, replica]));
  const policy = ringPolicy(new HashRing(points, SLOTS), mixed);
  const cells = new Map([...harm.addresses].map(([cell, address]) => [address, cell]));
  const keys = new Map<Cell, string>();
  const nameOf = (seat: number | undefined) => (seat === undefined ? '' : (names.get(seat) ?? ''));
  let besideKey = '';
  for (let count = 0; keys.size < CELLS.length || besideKey === ''; count++) {
    const key = `key${count}`;
    const first = policy.pick(hashText(key), () => true);
    const next = policy.pick(hashText(key), (seat) => seat !== first);
    const cell = cells.get(nameOf(first));
    if (nameOf(first) === besideName) besideKey = key;
    if (cell !== undefined && plain.has(nameOf(next))) keys.set(cell, key);
  }
  return { keys, besideKey };
}

function ask(port: number, cell: Cell, key: string, harm: Harm): Promise<{ outcome: string | number; tookMs: number }> {
  const sentMs = performance.now();
  const { method, phase } = cell;
  const body = method === 'POST' || phase === 'request body' ? BODY : Buffer.alloc(0);
  const headers = { [HEADER]: key, 'content-length': body.length };
  return new Promise((resolve) => {
    const over = (outcome: string | number) => resolve({ outcome, tookMs: performance.now() - sentMs });
    http
      .request({ port, host: '127.0.0.1', agent: false, method, path: pathOf(cell), headers }, (response) => {
        harm.headCame(cell);
        let text = '';
        response.on('data', (bytes) => {
          text += bytes;
        });
        response.on('error', () => undefined);
        response.once('close', () => over(response.complete ? outcomeOf(response, text, body) : 'cut'));
      })
      .once('error', (error) => over(`no reply: ${error.message}`))
      .end(body);
  });
}

function outcomeOf({ statusCode = 0, headers }: IncomingMessage, text: string, body: Buffer): string | number {
  // Only what the balancer answers itself has it.
  if (headers['x-request-id'] !== undefined) return statusCode;
  if (statusCode === 400) return 'refused';
  const [who, digest] = text.split(' ');
  if (statusCode !== 200) return `${statusCode} of a server`;
  const isIntact = digest === createHash('sha256').update(body).digest('hex');
  if (who === 'plain') return isIntact ? 'next' : 'garbled at the next';
  return isIntact ? 'same' : 'garbled';
}

function leastOf(cell: Cell, harm: Harm): number {
  switch (cell.wait) {
    case 'nothing':
      return 0;
    case 'fault':
      return harm.delayedMs(cell);
    case 'second-syn':
      return SYN_AGAIN_MS - EARLY_MS;
    case 'connect-timeout':
      return CONNECT_TIMEOUT_MS - EARLY_MS;
    case 'reply-timeout':
      return REPLY_TIMEOUT_MS;
    case 'body-timeout':
      return BODY_TIMEOUT_MS;
  }
}

function isSuspected(program: Program, from: number, address: string): boolean {
  return program.log.slice(from).some((line) => line.event === 'replica-suspected' && line.hostname === address);
}

// Its log comes a little later than its answers.
async function untilSuspected(program: Program, from: number, harm: Harm): Promise<void> {
  const due = CELLS.filter(({ suspected }) => suspected === 'yes').map((cell) => addressOf(harm, cell));
  const limitMs = performance.now() + SUSPICION_LIMIT_MS;
  while (performance.now() < limitMs && !due.every((address) => isSuspected(program, from, address)))
    await sleep(LOOK_EVERY_MS);
}
