// In a worker: the plane of this thread does what the main thread asks of it, and what it tells is passed on.

import { isDeepStrictEqual } from 'node:util';
import type { MessagePort } from 'node:worker_threads';
import { LearnedSeats } from '../../core/keys/learned-seats.ts';
import type { PlaneNews, TakeBatch } from '../../core/plane-ports.ts';
import type { Clock, ReplicaRef } from '../../core/ports.ts';
import { Ledger } from '../../core/request/ledger.ts';
import type { RowBook } from '../../core/request/rows.ts';
import { Suspects } from '../../core/request/suspects.ts';
import { TALLY_CELLS, Tally } from '../../core/traffic/traffic.ts';
import { cellsIn, type MeasuredBlock } from '../measure-book.ts';
import { Plane } from '../plane.ts';
import type { PlanePorts, SharedState } from '../ports.ts';
import { LogSender } from './log-sender.ts';
import {
  type Answers,
  errorData,
  type FromWorker,
  type Questions,
  type RowsOfPlan,
  type Topic,
  type ToWorker,
  type WorkerTerms,
} from './messages.ts';
import { ownRelay } from './own-relay.ts';

export interface ServePorts extends Pick<PlanePorts, 'loadPair' | 'network'>, Pick<SharedState, 'untilFreed'> {
  readonly clock: Clock;
  /** To the main thread. */
  readonly port: Pick<MessagePort, 'postMessage' | 'on'>;
}

type Answerers = { readonly [T in Topic]: (about: Questions[T]) => Promise<Answers[T]> };

/**
 * Makes a plane, and does what the main thread asks of it until that ends this thread. Returns what passes on the rest
 * of the logs.
 */
export function serve(terms: WorkerTerms, { clock, network, loadPair, port, untilFreed }: ServePorts): () => void {
  const tell = (message: FromWorker) => port.postMessage(message);
  const sender = new LogSender(terms.logLevel, (entries) => tell({ type: 'log', entries }));
  const ownAnswer = ownRelay({
    own: terms.own,
    takeTimeoutMs: () => Math.min(terms.takeTimeoutMs, plane.limits.bodyTimeoutMs),
    clock,
    send: (own, facts) => port.postMessage({ type: 'own', port: own, facts } satisfies FromWorker, [own]),
  });
  const lines = new LineSender(port);
  const rows = new GivenRows();
  const ledger = new Ledger(terms.ledger.memory, terms.ledger.thread);
  const shared = {
    ledger,
    rows,
    learned: new LearnedSeats(terms.learned),
    suspects: new Suspects(terms.suspects, terms.ledger.thread),
    tallyOf: (replica: ReplicaRef | undefined) => sharedTally(replica, tell),
    cellsOf: (block: MeasuredBlock) => sharedCells(block, tell),
    untilFreed,
  };
  const ports: PlanePorts = {
    log: sender.log,
    takeLines: lines.take,
    clock,
    network,
    loadPair,
    ownAnswer,
    ...{ seed: terms.seed, sampleSeed: terms.sampleSeed },
    shared,
    sharesPort: true,
    thread: String(terms.number),
  };
  const plane = new Plane(ports, terms.traffic);
  const timeOver = new AbortController();
  const answers = answerers(terms, plane, rows, timeOver.signal, (news, version) =>
    tell({ type: 'news', news, version }),
  );
  const answer = async <T extends Topic>(topic: T, number: number, about: Questions[T]) => {
    try {
      const value = await answers[topic](about);
      // What was told before the end is told before it.
      if (topic === 'close' || topic === 'giveWay') sender.flush();
      tell({ type: 'answer', number, value });
    } catch (error) {
      tell({ type: 'failure', number, error: errorData(error) });
    }
  };
  port.on('message', (message: ToWorker) => {
    if (message.type === 'cut') timeOver.abort();
    else if (message.type === 'lines-taken') lines.onTaken(message.number, message.memory);
    else if (message.type === 'logged') sender.onWritten(message.count);
    else if (message.type === 'level') sender.level = message.level;
    else void answer(message.type, message.number, message.about);
  });
  return () => {
    sender.flush();
    plane.access.flush();
  };
}

function answerers(
  { traffic }: WorkerTerms,
  plane: Plane,
  rows: GivenRows,
  timeOver: AbortSignal,
  tell: (news: PlaneNews, version: number) => void,
): Answerers {
  let version = 0;
  let last = traffic;
  const suspected = new Set<number>();
  plane.watch((news) => {
    // Once under each plan: what fails at one replica may be thousands of requests.
    if (news.type === 'suspected' && suspected.has(news.incarnation)) return;
    if (news.type === 'suspected') suspected.add(news.incarnation);
    tell(news, version);
  });
  return {
    publish: async ({ plan, rows: given }) => {
      version = plan.version;
      rows.add(given);
      suspected.clear();
      // A clone is another object each time, and the same settings need not be taken over again.
      if (!isDeepStrictEqual(last, plan.traffic)) last = plan.traffic;
      await plane.publish({ ...plan, traffic: last });
    },
    listen: (place) => plane.listen(place),
    counters: () => plane.counters(),
    // What was measured is in memory that the main thread reads.
    reading: async () => ({ ...(await plane.reading()), seats: new Map() }),
    landings: (after) => plane.landings(after),
    explain: ({ key, learned }) => plane.explain(key, learned),
    hotKeys: () => plane.hotKeys(),
    sketch: () => plane.sketch(),
    handover: () => plane.handover(),
    giveWay: () => plane.giveWay(timeOver),
    close: () => plane.close(timeOver),
  };
}

// The main thread can read it even when this thread has ended.
function sharedTally(replica: ReplicaRef | undefined, tell: (message: FromWorker) => void): Tally {
  const memory = new SharedArrayBuffer(TALLY_CELLS * Float64Array.BYTES_PER_ELEMENT);
  tell({ type: 'tally', replica, memory });
  return new Tally(new Float64Array(memory));
}

// Gives lines of the access log to the main thread, which writes them.
class LineSender {
  readonly take: TakeBatch;
  readonly #unwritten = new Map<number, (memory: ArrayBuffer) => void>();
  #sent = 0;

  constructor(port: ServePorts['port']) {
    this.take = (batch, onTaken) => {
      this.#sent += 1;
      this.#unwritten.set(this.#sent, onTaken);
      const message: FromWorker = { type: 'lines', number: this.#sent, batch };
      port.postMessage(message, [batch.bytes.buffer]);
    };
  }

  onTaken(number: number, memory: ArrayBuffer): void {
    this.#unwritten.get(number)?.(memory);
    this.#unwritten.delete(number);
  }
}

function sharedCells(block: MeasuredBlock, tell: (message: FromWorker) => void): Float64Array {
  const memory = new SharedArrayBuffer(cellsIn(block) * Float64Array.BYTES_PER_ELEMENT);
  tell({ type: 'measures', block, memory });
  return new Float64Array(memory);
}

// The main thread gives the rows, and takes them back.
class GivenRows implements RowBook {
  readonly #rows = new Map<number, number>();

  add(rows: RowsOfPlan): void {
    for (const [incarnation, row] of rows) this.#rows.set(incarnation, row);
  }

  rowOf(incarnation: number): number {
    return this.#rows.get(incarnation) as number;
  }

  free(incarnation: number): void {
    this.#rows.delete(incarnation);
  }
}
