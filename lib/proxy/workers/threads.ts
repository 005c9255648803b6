// The data plane over several threads, as the control plane has it: each worker is a whole plane that listens on the
// same port, and the kernel spreads the connections. What is told here is told to all, and holds when all that live say
// so; what they tell is put together. A worker that ends costs its own connections: another takes its place, and is
// given the latest plan before it listens.

import { LEARNED_BYTES } from '../../core/keys/learned-seats.ts';
import { Listeners } from '../../core/listeners.ts';
import type { DataPlane, ListenPlace, PlaneHandover, PlaneNews } from '../../core/plane-ports.ts';
import { Ledger, ledgerBytes } from '../../core/request/ledger.ts';
import type { Poison } from '../../core/request/poison.ts';
import { Rows } from '../../core/request/rows.ts';
import { SUSPECTS_BYTES, Suspects } from '../../core/request/suspects.ts';
import type { Explanation } from '../../core/ring/explain.ts';
import type { Key } from '../../core/ring/policy.ts';
import type { RoutingPlan } from '../../core/routing-plan.ts';
import { mergeSketches, type SketchReading } from '../../core/sketch/reading.ts';
import { type Counters, mergeCounters, noCounters } from '../../core/traffic/counters.ts';
import { type HotKeysReading, mergeHotKeys } from '../../core/traffic/hot-keys.ts';
import type { Landings } from '../../core/traffic/landings.ts';
import { MergedLandings } from '../../core/traffic/merged-landings.ts';
import { mergeReadings, noReading, type PlaneReading } from '../../core/traffic/plane-reading.ts';
import type { TrafficSettings } from '../../core/traffic-settings.ts';
import type { AdjustableLog } from '../../log.ts';
import { checkPortIsFree } from '../../system/free-port.ts';
import { learnedSeats } from '../keys/keys.ts';
import { PoisonWatch } from '../poison/watch.ts';
import type { PlanePorts } from '../ports.ts';
import { Crew } from './crew.ts';
import { Drains } from './drains.ts';
import type { OwnEndpoints, WorkerTerms } from './messages.ts';
import { createOwnServer } from './own-server.ts';
import { shareOf } from './shares.ts';
import { ThreadEnded, type ThreadPorts, unlessEnded, type WorkerThread } from './thread.ts';

type GivenOn = 'takeLines' | 'clock' | 'ownAnswer' | 'seed' | 'sampleSeed' | 'idsGiven' | 'learnedGiven';

export interface ThreadedPlanePorts extends Pick<PlanePorts, GivenOn>, Pick<ThreadPorts, 'spawn'> {
  readonly log: AdjustableLog;
  /** What a worker runs: lib/worker.ts. */
  readonly script: URL;
  /** Of the endpoints that are the balancer's own; asked when the workers begin. */
  readonly own: () => OwnEndpoints;
  /** For a client to take what is left of an answer of these, in ms, unless a pause within a body may last less. */
  readonly takeTimeoutMs: number;
}

export class ThreadedPlane implements DataPlane {
  readonly #ports: ThreadedPlanePorts;
  readonly #traffic: TrafficSettings;
  readonly #workers: number;
  readonly #crew: Crew;
  readonly #news = new Listeners<PlaneNews>();
  readonly watch = this.#news.watch;
  readonly #drains = new Drains<WorkerThread>((incarnation) => this.#onDrained(incarnation));
  readonly #memory: SharedArrayBuffer;
  readonly #learned = new SharedArrayBuffer(LEARNED_BYTES);
  readonly #rows = new Rows();
  readonly #suspects = new SharedArrayBuffer(SUSPECTS_BYTES);
  readonly #watch: PoisonWatch;
  // Under the latest plan.
  readonly #suspected = new Set<number>();
  readonly #landings = new MergedLandings();
  // As a worker is given them.
  #latest: RoutingPlan | undefined;
  #accepted: RoutingPlan | undefined;
  #held: Promise<void> = Promise.resolve();
  #looked: Promise<void> = Promise.resolve();
  #place: { readonly port: number; readonly host: string } | undefined;
  // Of workers that have ended.
  #past = noCounters();
  #pastReading = noReading();

  /** @param traffic in force until a plan holds. @param workers how many, at least one. */
  constructor(ports: ThreadedPlanePorts, traffic: TrafficSettings, workers: number) {
    const { script, spawn, log, takeLines, clock, ownAnswer } = ports;
    this.#ports = ports;
    this.#traffic = traffic;
    this.#workers = workers;
    this.#memory = new SharedArrayBuffer(ledgerBytes(workers));
    learnedSeats(this.#learned, ports.learnedGiven);
    this.#watch = new PoisonWatch(new Suspects(this.#suspects, workers), clock, log);
    if (ports.idsGiven !== undefined) new Ledger(this.#memory, 0).skipIds(ports.idsGiven);
    const crewPorts = {
      script,
      spawn,
      log,
      takeLines,
      clock,
      termsOf: (number: number) => this.#termsOf(number),
      answerOwn: createOwnServer(ownAnswer),
      onNews: (thread: WorkerThread, news: PlaneNews, version: number) => this.#onNews(thread, news, version),
      onEnded: (thread: WorkerThread) => this.#onEnded(thread),
      bringUp: (thread: WorkerThread) => this.#bringUp(thread),
    };
    this.#crew = new Crew(crewPorts, workers);
  }

  async listen(place: ListenPlace): Promise<number> {
    if ('descriptors' in place) return this.#listenOn(place);
    const { port, host } = place;
    // Workers share the port, and so could another program of this user: it must not be there before them.
    if (port !== 0) await checkPortIsFree(port, host);
    this.#crew.begin();
    const [first, ...others] = this.#crew.living();
    if (first === undefined) throw new ThreadEnded('no worker has begun');
    const found = await listenOn(first, { port, host });
    this.#place = { port: found, host };
    await Promise.all(others.map((thread) => unlessEnded(listenOn(thread, { port: found, host }))));
    return found;
  }

  // Each takes its part of them: the first thread that ends closes what it has. Whoever takes its place opens others.
  async #listenOn({ descriptors, host }: { readonly descriptors: readonly number[]; readonly host: string }) {
    this.#crew.begin();
    const threads = this.#crew.living();
    const partOf = (index: number) => descriptors.filter((_, at) => at % threads.length === index);
    const ports = await Promise.all(
      threads.map((thread, index) =>
        partOf(index).length > 0 ? listenOn(thread, { descriptors: partOf(index), host }) : undefined,
      ),
    );
    const port = ports.find((one) => one !== undefined);
    if (port === undefined) throw new ThreadEnded('no worker has begun');
    this.#place = { port, host };
    await Promise.all(threads.map((thread) => unlessEnded(listenOn(thread, { port, host }))));
    return port;
  }

  async handover(): Promise<PlaneHandover> {
    const threads = this.#crew.living();
    if (threads.length < this.#workers) throw new ThreadEnded('a worker has ended, and the next one has not begun');
    const all = await Promise.all(threads.map((thread) => thread.ask('handover', undefined)));
    const ids = { seed: this.#ports.seed, ...new Ledger(this.#memory, 0).ids };
    return { ...all[0], descriptors: all.flatMap((one) => one.descriptors), ids };
  }

  connections(): number {
    return new Ledger(this.#memory, 0).connections;
  }

  get poison(): Poison {
    return this.#watch.now;
  }

  giveWay(signal: AbortSignal): Promise<number> {
    return this.#crew.giveWay(signal).finally(() => this.#watch.close());
  }

  publish(plan: RoutingPlan): Promise<void> {
    this.#crew.begin();
    if (this.#latest === undefined || plan.version > this.#latest.version) this.#held = this.#give(plan);
    return this.#held;
  }

  async counters(): Promise<Counters> {
    const looks = this.#crew.living().map(async (thread) => {
      thread.counters = (await unlessEnded(thread.ask('counters', undefined))) ?? thread.counters;
    });
    await Promise.all(looks);
    // One that has ended meanwhile is among the past ones.
    return this.#crew.living().reduce((sum, { counters }) => mergeCounters(sum, counters), this.#past);
  }

  async reading(): Promise<PlaneReading> {
    const looks = this.#crew.living().map(async (thread) => {
      thread.now = (await unlessEnded(thread.ask('reading', undefined))) ?? thread.now;
    });
    await Promise.all(looks);
    // What one that has ended meanwhile had measured is among the past.
    return this.#crew.living().reduce((sum, thread) => mergeReadings(sum, thread.reading), this.#pastReading);
  }

  async landings(after: number): Promise<Landings> {
    // One look at a time: what a worker has told once it does not tell again.
    const looked = this.#looked.then(() => this.#look());
    this.#looked = looked.catch(() => undefined);
    await looked;
    return this.#landings.since(after);
  }

  async hotKeys(): Promise<HotKeysReading> {
    const looks = this.#crew.living().map((thread) => unlessEnded(thread.ask('hotKeys', undefined)));
    return (await Promise.all(looks)).filter((one) => one !== undefined).reduce(mergeHotKeys, { total: 0, keys: [] });
  }

  async sketch(): Promise<SketchReading> {
    const looks = this.#crew.living().map((thread) => unlessEnded(thread.ask('sketch', undefined)));
    return mergeSketches((await Promise.all(looks)).filter((one) => one !== undefined));
  }

  async explain(key: Key, learned?: string): Promise<Explanation | undefined> {
    for (const thread of this.#crew.living()) {
      const explanation = await unlessEnded(thread.ask('explain', { key, learned }));
      if (explanation !== undefined) return explanation;
    }
    return undefined;
  }

  close(signal: AbortSignal): Promise<void> {
    return this.#crew.close(signal).finally(() => this.#watch.close());
  }

  /** Call it when the level of the log has changed. */
  logLevelChanged(): void {
    for (const thread of this.#crew.living()) thread.tellLevel(this.#ports.log.level);
  }

  #termsOf(number: number): WorkerTerms {
    const { own, log, takeTimeoutMs, seed, sampleSeed = 0 } = this.#ports;
    return {
      ...{ number, seed, sampleSeed },
      learned: this.#learned,
      ledger: { memory: this.#memory, thread: number - 1 },
      suspects: this.#suspects,
      clockOriginMs: performance.timeOrigin,
      traffic: shareOf(this.#traffic, this.#workers),
      logLevel: log.level,
      own: own(),
      takeTimeoutMs,
    };
  }

  async #give(plan: RoutingPlan): Promise<void> {
    const given = { ...plan, traffic: shareOf(plan.traffic, this.#workers) };
    this.#latest = given;
    this.#past = withoutGone(this.#past, given);
    this.#suspected.clear();
    this.#watch.onPlan(given);
    const threads = this.#crew.living();
    const all = threads.map((thread) => unlessEnded(this.#publishTo(thread, given)));
    this.#drains.onPlan(given, threads);
    await Promise.all(all);
    if (this.#accepted === undefined || given.version > this.#accepted.version) this.#accepted = given;
  }

  async #look(): Promise<void> {
    const looks = this.#crew.living().map(async (thread) => {
      const before = thread.landed;
      const now = await unlessEnded(thread.ask('landings', before.last));
      thread.landed = now ?? before;
      return now === undefined ? [] : [{ now, before }];
    });
    this.#landings.add((await Promise.all(looks)).flat());
  }

  #onNews(thread: WorkerThread, news: PlaneNews, version: number): void {
    if (news.type === 'drained') {
      this.#drains.onDrained(news.incarnation, thread, version);
      return;
    }
    if (this.#suspected.has(news.incarnation)) return;
    this.#suspected.add(news.incarnation);
    this.#news.tell(news);
  }

  #publishTo(thread: WorkerThread, plan: RoutingPlan): Promise<void> {
    const rows = plan.routes.map(
      ({ replica: { incarnation } }) => [incarnation, this.#rows.rowOf(incarnation)] as const,
    );
    return thread.ask('publish', { plan, rows: new Map(rows) });
  }

  #onDrained(incarnation: number): void {
    this.#rows.free(incarnation);
    for (const thread of this.#crew.living()) thread.forget(incarnation);
    this.#news.tell({ type: 'drained', incarnation });
  }

  #onEnded(thread: WorkerThread): void {
    new Ledger(this.#memory, 0).giveBackOf(thread.number - 1);
    new Suspects(this.#suspects, 0).giveBackOf(thread.number - 1);
    this.#past = mergeCounters(this.#past, thread.lastCounters);
    this.#pastReading = mergeReadings(this.#pastReading, thread.lastReading);
    this.#drains.onEnded(thread, this.#latest);
  }

  async #bringUp(thread: WorkerThread): Promise<void> {
    // A latest one that was refused says nothing: the one before it holds then.
    const plans = [...new Set([this.#accepted, this.#latest])].filter((plan) => plan !== undefined);
    const given = plans.map((plan) => this.#publishTo(thread, plan));
    if (this.#latest !== undefined) this.#drains.onPlan(this.#latest, [thread]);
    await Promise.allSettled(given);
    if (this.#place !== undefined) await listenOn(thread, this.#place);
  }
}

// At those that have gone nothing more is counted, and in all it stays.
function withoutGone(counters: Counters, { routes, resting, draining }: RoutingPlan): Counters {
  const there = new Set(
    [...routes.map(({ replica }) => replica), ...resting, ...draining].map((one) => one.incarnation),
  );
  return { ...counters, replicas: counters.replicas.filter(({ incarnation }) => there.has(incarnation)) };
}

function listenOn(thread: WorkerThread, place: ListenPlace): Promise<number> {
  thread.listening ??= thread.ask('listen', place);
  return thread.listening;
}
