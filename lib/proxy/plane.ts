// The data plane in this thread. It holds what concerns all requests, and is what the control plane talks to.
// Connections of clients are in ./front/, one request is in ./exchange/, connections to replicas are in ./replicas/.

import type { IncomingMessage } from 'node:http';
import { Listeners } from '../core/listeners.ts';
import type { DataPlane, ListenPlace, PlaneHandover, PlaneNews } from '../core/plane-ports.ts';
import type { ReplicaRef } from '../core/ports.ts';
import { Ledger, ledgerBytes } from '../core/request/ledger.ts';
import type { Poison } from '../core/request/poison.ts';
import { RetryBudget } from '../core/request/retry-budget.ts';
import { Rows } from '../core/request/rows.ts';
import type { Explanation } from '../core/ring/explain.ts';
import type { HashPair } from '../core/ring/hashes/hash-pair.ts';
import type { Key, RingPolicy } from '../core/ring/policy.ts';
import type { SeatId } from '../core/ring/ring.ts';
import { compile, type RoutingPlan } from '../core/routing-plan.ts';
import { KeyTraffic } from '../core/sketch/key-traffic.ts';
import type { SketchReading } from '../core/sketch/reading.ts';
import type { Counters } from '../core/traffic/counters.ts';
import type { HotKeysReading } from '../core/traffic/hot-keys.ts';
import type { Landings } from '../core/traffic/landings.ts';
import { type FrontMeasures, NO_SEAT } from '../core/traffic/measures.ts';
import type { PlaneReading } from '../core/traffic/plane-reading.ts';
import type { TrafficSettings } from '../core/traffic-settings.ts';
import { type MayBeTold, mayBeTold } from '../http/credentials.ts';
import { AccessLog } from './access/access-log.ts';
import { TraceIds } from './access/trace-ids.ts';
import { Directions } from './directions.ts';
import type { Ended } from './exchange/exchange-context.ts';
import { ReturnLine } from './exchange/return-line.ts';
import { UploadMemory } from './exchange/upload-memory.ts';
import { type Waiting, WaitingLine } from './exchange/waiting-line.ts';
import { ReplyMemory } from './front/http1/reply-memory.ts';
import type { OwnAnswer } from './front/http1/responses.ts';
import { type FrontContext, FrontServer } from './front/server.ts';
import { Keys } from './keys/keys.ts';
import { MeasureBook } from './measure-book.ts';
import { Meter } from './meter.ts';
import { OverloadWatch } from './overload-watch.ts';
import { Pairs } from './pairs.ts';
import { Guard } from './poison/guard.ts';
import type { PlanePorts } from './ports.ts';
import { type ProxyLimits, proxyLimits } from './proxy-limits.ts';
import { ReplicaAgents } from './replicas/agents.ts';
import type { Load } from './replicas/routing-table.ts';
import { dial } from './replicas/socket.ts';
import { RequestIds } from './request-ids.ts';
import { RequestLog } from './request-log.ts';

export class Plane implements DataPlane, FrontContext {
  readonly limits: ProxyLimits;
  readonly ledger: Ledger;
  readonly uploads: UploadMemory;
  readonly replies: ReplyMemory;
  readonly returns: ReturnLine;
  readonly keys: Keys;
  readonly directions: Directions;
  readonly keyTraffic: KeyTraffic;
  readonly guard: Guard;
  readonly overload: OverloadWatch;
  readonly meter: Meter;
  readonly measures: FrontMeasures;
  readonly log: RequestLog;
  readonly access: AccessLog;
  readonly traceIds = new TraceIds();
  closing = false;
  readonly nextId = () => this.#ids.next();
  readonly hostnameOf = (seat: SeatId) => this.#plan?.hostnames.get(seat);
  readonly #ports: PlanePorts;
  readonly #budget: RetryBudget;
  readonly #line: WaitingLine;
  readonly #load: Load;
  readonly #book: MeasureBook;
  readonly #agents: ReplicaAgents;
  readonly #ids: RequestIds;
  readonly #front: FrontServer;
  readonly #pairs: Pairs;
  readonly #news = new Listeners<PlaneNews>();
  readonly watch = this.#news.watch;
  // The plan in force and what was made of it. `#latest` is the newest plan, which may still wait for its hash pair.
  #plan: RoutingPlan | undefined;
  #latest: RoutingPlan | undefined;
  #policy: RingPolicy | undefined;
  #traffic: TrafficSettings;

  /** @param traffic the settings in force until the first plan is. */
  constructor(ports: PlanePorts, traffic: TrafficSettings) {
    const limits = proxyLimits(traffic);
    this.#ports = ports;
    this.#traffic = traffic;
    this.limits = limits;
    this.ledger = ports.shared?.ledger ?? new Ledger(new ArrayBuffer(ledgerBytes(1)), 0);
    this.#book = new MeasureBook(ports.shared?.cellsOf);
    this.measures = this.#book.front;
    this.log = new RequestLog(ports.log, (code) => this.measures.refusal(code));
    this.access = new AccessLog(limits, ports.takeLines);
    this.uploads = new UploadMemory(limits);
    this.replies = new ReplyMemory(limits, (count) => ports.log.warn('slow-readers-dropped', { count }));
    this.returns = new ReturnLine(limits);
    if (ports.idsGiven !== undefined) this.ledger.skipIds(ports.idsGiven);
    this.#ids = new RequestIds(ports.seed, this.ledger);
    this.#load = {
      ledger: this.ledger,
      tallyOf: ports.shared?.tallyOf,
      measuresOf: (seat) => this.#book.at(seat),
      inFlight: 0,
      idle: 0,
      diverted: 0,
      dial: ports.network?.dial ?? dial,
      freed: () => this.#freed(),
    };
    this.overload = new OverloadWatch(limits, this.#load, ports.log);
    this.#agents = new ReplicaAgents(limits, this.#load, ports.shared?.rows ?? new Rows(), ports.clock, (incarnation) =>
      this.#news.tell({ type: 'drained', incarnation }),
    );
    const total = ports.shared?.tallyOf(undefined);
    this.meter = new Meter(this.#agents.byIncarnation, this.#load, this.#book.at(NO_SEAT), total);
    this.#budget = new RetryBudget(limits, this.ledger.budget);
    this.guard = new Guard(ports, limits, () => this.#freed());
    this.#line = new WaitingLine(limits, this.ledger, () => this.overload.refusal(), ports.shared?.untilFreed);
    this.keys = new Keys(limits, ports.keyFunction, ports.shared?.learned, ports.learnedGiven);
    this.keyTraffic = new KeyTraffic(ports.sampleSeed);
    this.keyTraffic.use(this.keys.source);
    this.directions = new Directions(this.#agents, this.keys, () => this.#plan);
    // Another pair makes another policy.
    this.#pairs = new Pairs(ports.loadPair, () => {
      this.#policy = undefined;
    });
    this.#front = new FrontServer(this, ports.clock, ports.log, ports.network?.listeners);
  }

  listen(place: ListenPlace): Promise<number> {
    return this.#front.listen(place, this.#ports.sharesPort ?? false);
  }

  async publish(plan: RoutingPlan): Promise<void> {
    if (this.#latest === undefined || plan.version > this.#latest.version) this.#latest = plan;
    while (this.#plan !== this.#latest) {
      const latest = this.#latest;
      // If the pair is loaded already there is no `await`, so that a plan made in this thread is in force when the call
      // returns.
      const pair = this.#pairs.of(latest);
      if (pair instanceof Promise) await pair;
      else this.#apply(latest, pair);
    }
  }

  async counters(): Promise<Counters> {
    return this.meter.counters();
  }

  async reading(): Promise<PlaneReading> {
    return this.#book.read(this.#ports.thread ?? 'main', this, this.#agents.byIncarnation.values());
  }

  async landings(after: number): Promise<Landings> {
    return this.meter.landings(after);
  }

  async hotKeys(): Promise<HotKeysReading> {
    return this.directions.placed(this.keyTraffic.hot);
  }

  async sketch(): Promise<SketchReading> {
    return this.keyTraffic.sketch(performance.now());
  }

  async explain(key: Key, learned?: string): Promise<Explanation | undefined> {
    return this.directions.explanationOf(key, this.directions.setterOf(learned));
  }

  async handover(): Promise<PlaneHandover> {
    const ids = { seed: this.#ports.seed, ...this.ledger.ids };
    return { descriptors: this.#front.descriptors, ids, ...this.keys.handover };
  }

  get poison(): Poison {
    return this.guard.poison;
  }

  connections(): number {
    return this.ledger.connections;
  }

  async giveWay(signal: AbortSignal): Promise<number> {
    this.closing = true;
    signal.addEventListener('abort', () => this.#agents.endStreams(), { once: true });
    const lost = await this.#front.giveWay(signal);
    this.#agents.retireAll();
    this.guard.close();
    return lost;
  }

  close(signal: AbortSignal): Promise<void> {
    this.closing = true;
    this.#agents.endStreams();
    return this.#front.close(signal).then(() => {
      this.#agents.retireAll();
      this.guard.close();
      this.access.flush();
    });
  }

  get isPaused(): boolean {
    return this.#plan?.isPaused === true;
  }

  readonly take: FrontContext['take'] = (key, tried, offers, home, claims, weight) => {
    if (this.isPaused || (tried.length === 0 && this.overload.isFull)) return undefined;
    return this.#agents.table?.take(key, tried, offers, home, claims, weight);
  };

  wait(exchange: Waiting, tried: readonly SeatId[]): boolean {
    const mayFind = this.isPaused || this.#agents.table?.hasUntried(tried) === true;
    return mayFind && this.#line.join(exchange, this.overload.mostWaiting);
  }

  barredFromTunnels(tried: readonly SeatId[]): readonly SeatId[] {
    return this.#agents.table?.barredFromTunnels(tried) ?? tried;
  }

  stopWaiting(exchange: Waiting): void {
    this.#line.leave(exchange);
    this.returns.leave(exchange);
  }

  spendRetry(): boolean {
    return this.#budget.withdraw();
  }

  suspect({ incarnation }: ReplicaRef): void {
    this.#news.tell({ type: 'suspected', incarnation });
  }

  onOver(ended: Ended): void {
    this.meter.count(ended, this.#policy);
    this.overload.over(ended);
    this.log.ended(ended);
    this.keyTraffic.end(ended);
    if (this.access.isOn) this.access.ended(ended, this.#policy);
  }

  onTick(nowMs: number, lateMs: number): void {
    this.measures.lag(lateMs);
    this.measures.holds(this.#load.inFlight + this.ledger.ownWaiting + this.returns.size, nowMs);
    this.#budget.advance(nowMs);
    this.meter.onTick(nowMs);
    this.keyTraffic.onTick(nowMs);
    this.replies.onTick(nowMs);
    this.returns.callSome();
    this.overload.onTick(nowMs, this.#plan);
    this.#line.shorten(this.overload.mostWaiting);
    // Another thread may have given back a place just before somebody began to wait here.
    this.#line.serve();
  }

  arrive(): number {
    this.#budget.deposit();
    this.overload.arrived();
    return this.#ids.next();
  }

  dealId(): number {
    return this.#ids.deal(this.#agents.table);
  }

  mayBeTold(request: IncomingMessage): MayBeTold {
    return this.#plan === undefined ? 'no' : mayBeTold(request, this.#plan.explain);
  }

  ownAnswer(request: IncomingMessage): OwnAnswer | undefined {
    return this.#ports.ownAnswer(request);
  }

  #apply(plan: RoutingPlan, pair: HashPair): void {
    if (this.#policy === undefined || plan.ring.version !== this.#plan?.ring.version)
      this.#policy = compile(plan, pair);
    if (plan.traffic !== this.#traffic) this.#applySettings(plan.traffic);
    this.#plan = plan;
    this.guard.onPlan(plan);
    this.#agents.route(plan, this.#policy);
    this.#line.serve();
    this.returns.onPlan(plan);
  }

  #applySettings(traffic: TrafficSettings): void {
    this.#traffic = traffic;
    Object.assign(this.limits, proxyLimits(traffic));
    this.keys.settingsChanged();
    this.keyTraffic.use(this.keys.source);
    this.#agents.settingsChanged();
    this.#front.settingsChanged();
  }

  #freed(): void {
    this.#line.serve();
    this.ledger.wakeOthers();
  }
}
