// In the thread that is given the plans: has the judge of poison work while there is something to judge, and tells what
// it finds.

import type { Clock } from '../../core/ports.ts';
import { printable } from '../../core/printable.ts';
import { type Poison, PoisonJudge, type PoisonNews } from '../../core/request/poison.ts';
import type { Suspects } from '../../core/request/suspects.ts';
import type { RoutingPlan } from '../../core/routing-plan.ts';
import type { Log } from '../../log.ts';

const IDLE_LOOK_MS = 1000;
const LOOK_MS = 25;
const MOST_TOLD = 5;

export class PoisonWatch {
  readonly #judge: PoisonJudge;
  readonly #clock: Clock;
  readonly #log: Log;
  #quarantineMs = 0;
  #suspected = new Set<number>();
  #stopLooking = () => {};
  // How often it looks, in ms; 0 before the first plan.
  #paceMs = 0;
  #closed = false;

  constructor(suspects: Suspects, clock: Clock, log: Log) {
    this.#judge = new PoisonJudge(suspects);
    this.#clock = clock;
    this.#log = log;
  }

  get now(): Poison {
    const nowMs = this.#clock.now();
    const quarantined = this.#judge.quarantined.map((one) => ({
      request: printable(one.request),
      replicas: one.replicas,
      leftMs: Math.max(0, Math.round(one.untilMs - nowMs)),
    }));
    return { ...this.#judge.counts, quarantined };
  }

  onPlan({ ended = [], routes, traffic }: Pick<RoutingPlan, 'ended' | 'routes' | 'traffic'>): void {
    this.#quarantineMs = traffic.times.quarantineMs;
    const nowMs = this.#clock.now();
    if (this.#quarantineMs > 0) for (const incarnation of ended) this.#judge.ended(incarnation, nowMs);
    const suspected = new Set(routes.filter((one) => one.suspected).map(({ replica }) => replica.incarnation));
    for (const { replica } of routes) {
      const isCleared = this.#suspected.has(replica.incarnation) && !suspected.has(replica.incarnation);
      if (isCleared) this.#judge.lives(replica.incarnation);
    }
    this.#suspected = suspected;
    this.#setPace();
  }

  /** Looks no more, whatever plans still come. */
  close(): void {
    this.#closed = true;
    this.#stopLooking();
  }

  // Looks often only while there is something to judge. A thread notes what it has lost without telling, so it looks
  // now and then in any case.
  #setPace(): void {
    const paceMs = this.#judge.isIdle ? IDLE_LOOK_MS : LOOK_MS;
    if (this.#closed || paceMs === this.#paceMs) return;
    this.#paceMs = paceMs;
    this.#stopLooking();
    this.#stopLooking = this.#clock.every(paceMs, () => this.#look());
  }

  #look(): void {
    if (!this.#judge.isIdle) {
      for (const news of this.#judge.advance(this.#clock.now(), this.#quarantineMs)) this.#tell(news);
    }
    this.#setPace();
  }

  #tell(news: PoisonNews): void {
    if (news.type === 'suspected') {
      const requests = news.requests.slice(0, MOST_TOLD).map(printable);
      this.#log.warn('requests-suspected', { incarnation: news.incarnation, count: news.requests.length, requests });
      return;
    }
    const { request, replicas, untilMs } = news.one;
    const told = { request: printable(request), replicas };
    if (news.type === 'quarantine-ended') this.#log.warn('quarantine-ended', told);
    else this.#log.warn('request-quarantined', { ...told, forMs: Math.round(untilMs - this.#clock.now()) });
  }
}
