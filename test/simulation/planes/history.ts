// One random history of both planes: the real supervisor, publisher and data plane, in one thread or over several
// workers, on a virtual clock and a virtual network. Clients ask while replicas hang, die and misbehave, the fleet is
// changed and workers end. All chance comes from a seed, so a history can be played again.

import assert from 'node:assert/strict';
import { routes } from '../../../lib/core/fleet/fleet-state.ts';
import type { HashPair } from '../../../lib/core/ring/hashes/hash-pair.ts';
import type { TrafficSettings } from '../../../lib/core/traffic-settings.ts';
import { asBalancerError } from '../../../lib/errors.ts';
import type { Publisher } from '../../../lib/fleet/publisher.ts';
import type { Supervisor } from '../../../lib/fleet/supervisor.ts';
import { type Random, random } from '../../fixtures/random.ts';
import { VirtualClock } from '../../fixtures/virtual-clock.ts';
import { Machine } from '../machine.ts';
import { VirtualNetwork } from '../network/virtual-network.ts';
import { Client, type ClientManner, drawClient } from './client.ts';
import { Journal } from './journal.ts';
import { Service } from './service.ts';
import { stageFleet } from './staged-fleet.ts';
import { type StagedPlane, stagePlane } from './staged-plane.ts';
import { drawTraffic, RULES } from './terms.ts';
import { Witness } from './witness.ts';

/** For the first replicas to come up. Few clients are there before. */
const BEGIN_MS = 1200;
/** Until then things go wrong. After that nothing does. */
const FAULTS_END_MS = 10_000;
/** For the fleet to become whole, and for all requests to end. */
const SETTLE_MS = 8000;
const LAST_MS = 3000;
/** For replicas that came up long after their starts had failed: an inventory finds and ends them. */
const ORPHANS_MS = 2500;
const CLOSE_MS = 4500;
/** Of the machine of the simulation of the control plane alone. */
const MACHINE_PACE = 0.4;
export const HISTORY_MS = FAULTS_END_MS + SETTLE_MS + LAST_MS + ORPHANS_MS + CLOSE_MS;
const MOST_SEATS = 5;
const LAST_REQUESTS = 10;
const WELL: ClientManner = {
  ...{ requests: 1, pipelines: false, leavesInMs: undefined, resets: false, stallsMs: 0, httpMinor: 1, isSafe: true },
};

export class History {
  /** What happened, if it is to be told. */
  readonly told: string[] = [];
  /** How many requests clients have sent. */
  requests = 0;
  readonly #random: Random;
  readonly #clock = new VirtualClock();
  readonly #tells: boolean;
  readonly #traffic: TrafficSettings;
  readonly #journal = new Journal();
  readonly #machine: Machine;
  readonly #service: Service;
  readonly #network: VirtualNetwork;
  readonly #witness: Witness;
  readonly #staged: StagedPlane;
  readonly #publisher: Publisher;
  readonly #supervisor: Supervisor;
  readonly #changes = new Set<Promise<void>>();
  #nonces = 0;
  #failure: Error | undefined;

  /** @param tells what happens is written into `told`. */
  constructor(seed: number, pair: HashPair, tells = false) {
    this.#random = random(seed);
    this.#tells = tells;
    this.#traffic = drawTraffic(this.#random);
    const clock = this.#clock;
    const note = (what: () => string) => this.#note(what);
    this.#machine = new Machine(clock, this.#random, MACHINE_PACE);
    const onFault = (what: string) => this.#fail(new assert.AssertionError({ message: what }));
    this.#service = new Service({
      ...{ clock, random: this.#random, journal: this.#journal, onFault },
      lifeOf: (incarnation) => this.#machine.lifeOf(incarnation),
    });
    this.#machine.onLife = (incarnation) => {
      note(() => `${incarnation} is ${this.#machine.lifeOf(incarnation) ?? 'gone'}`);
      this.#service.onLife(incarnation);
    };
    const { limits, retries, times } = this.#traffic;
    const promised = { ...limits, ...retries, ...times };
    this.#witness = new Witness(this.#journal, promised, () => clock.now(), note);
    this.#network = new VirtualNetwork({
      ...{ clock, random: this.#random },
      admit: (dialled) => this.#service.admit(dialled),
      onWrite: (dialled, text) => this.#guard(() => this.#witness.onWrite(dialled, text)),
    });
    this.#staged = stagePlane({
      ...{ clock, random: this.#random, network: this.#network, traffic: this.#traffic, pair },
      ...{ witness: this.#witness, guard: (work) => this.#guard(work) },
    });
    const { publisher, supervisor } = stageFleet({
      ...{ clock, random: this.#random, machine: this.#machine, staged: this.#staged, witness: this.#witness },
      ...{ traffic: this.#traffic, pair, guard: (work) => this.#guard(work) },
    });
    this.#publisher = publisher;
    this.#supervisor = supervisor;
  }

  /** How far the time of the history is, in ms. */
  get nowMs(): number {
    return this.#clock.now();
  }

  /** Plays the history. Rejects with an AssertionError if a promise is broken. */
  async play(): Promise<void> {
    const count = this.#random.below(MOST_SEATS) + 1;
    const wishes = Array.from({ length: count }, (_, index) => ({ hostname: `server${index + 1}`, weight: 1 }));
    this.#ask(this.#supervisor.begin(wishes));
    this.#ask(this.#staged.plane.listen({ port: 0, host: '127.0.0.1' }).then(() => undefined));
    this.#plan();
    await this.#pass(FAULTS_END_MS);
    this.#note(() => 'from here on all is well');
    this.#machine.isFaulty = false;
    this.#service.isFaulty = false;
    this.#undrain();
    await this.#pass(SETTLE_MS / 2);
    // A drained replica that was being replaced has its seat again if its successor failed.
    this.#undrain();
    await this.#pass(SETTLE_MS / 2);
    await this.#checkRest();
    await this.#close();
  }

  // What will happen when.
  #plan(): void {
    const { chance, below } = this.#random;
    const beginMs = chance(0.1) ? 0 : BEGIN_MS;
    const lastMs = FAULTS_END_MS - beginMs;
    const at = (ms: number, call: () => void) => this.#clock.after(beginMs + ms, () => this.#guard(call));
    for (let left = 8 + below(26); left > 0; left--) at(below(lastMs), () => this.#newClient());
    for (let bursts = below(3); bursts > 0; bursts--) {
      const ms = below(lastMs);
      for (let left = 3 + below(15); left > 0; left--) at(ms + below(30), () => this.#newClient());
    }
    for (let left = chance(0.1) ? 0 : below(12); left > 0; left--) at(below(lastMs), () => this.#fault());
  }

  #newClient(manner?: ClientManner): void {
    new Client(
      {
        ...{ clock: this.#clock, random: this.#random, journal: this.#journal },
        nonce: () => ++this.#nonces,
        onAsked: (asked) => {
          this.requests += 1;
          this.#witness.onAsked(asked);
        },
        connect: () => this.#network.connect(),
        onFault: (what) => this.#fail(new assert.AssertionError({ message: what })),
      },
      manner ?? drawClient(this.#random),
    );
  }

  #fault(): void {
    const kind = this.#random.below(11);
    this.#note(() => `fault ${kind}`);
    const { seats } = this.#supervisor.state;
    const some = seats.filter(() => this.#random.chance(0.4)).map(({ replica }) => replica);
    if (kind === 0) this.#machine.hangOne();
    else if (kind <= 2) this.#machine.killOne();
    else if (kind === 3 && seats.length < MOST_SEATS) {
      this.#ask(this.#supervisor.add([{ hostname: undefined, weight: 1 + this.#random.below(2) }]));
    } else if (kind === 4 && seats.some((seat) => seat.firstServedMs !== undefined && !some.includes(seat.replica))) {
      // Who removes all but those that are still joining has none if they do not come up, and asked for that.
      this.#ask(this.#supervisor.remove(some));
    } else if (kind === 5) this.#machine.tellAgain();
    else if (kind === 6) this.#machine.slowDown();
    else if (kind === 7) {
      const isDrained = this.#random.chance(0.7);
      for (const { incarnation } of some) this.#supervisor.change({ type: 'drain', incarnation, isDrained });
    } else if (kind === 8) {
      for (const { incarnation } of some) this.#supervisor.change({ type: 'replace', incarnation });
    } else if (kind === 9) this.#staged.endThread();
    else if (kind === 10) {
      void this.#publisher.change({ isPaused: true });
      this.#clock.after(this.#random.below(800), () => void this.#publisher.change({ isPaused: false }));
    }
  }

  #undrain(): void {
    for (const { replica } of this.#supervisor.state.seats) {
      this.#supervisor.change({ type: 'drain', incarnation: replica.incarnation, isDrained: false });
    }
  }

  async #checkRest(): Promise<void> {
    const first = this.#nonces + 1;
    for (let left = LAST_REQUESTS; left > 0; left--) {
      this.#newClient(WELL);
      await this.#pass(LAST_MS / 2 / LAST_REQUESTS);
    }
    await this.#pass(LAST_MS / 2 + ORPHANS_MS);
    this.#guard(() => {
      const { state } = this.#supervisor;
      const lame = state.seats.filter(({ phase }) => phase !== 'serving').map(({ replica }) => replica.incarnation);
      assert.deepEqual(lame, [], 'the fleet is not whole');
      for (let nonce = first; nonce <= this.#nonces; nonce++) {
        const outcome = this.#journal.asked.get(nonce)?.outcome;
        assert.equal(outcome?.type, 'reply', `${nonce} was asked while all was well, and got no reply`);
      }
      this.#witness.checkRest();
      assert.deepEqual(this.#witness.held?.routes, routes(state, true), 'the plan is not that of the fleet');
      this.#staged.checkRest();
    });
    this.#throwFailure();
  }

  async #close(): Promise<void> {
    const { plane } = this.#staged;
    const over = new AbortController();
    const first = this.#nonces + 1;
    for (let left = this.#random.below(4); left > 0; left--) this.#newClient(WELL);
    await this.#pass(this.#random.below(20));
    this.#witness.isClosing = true;
    // What a replica has by now is not given up.
    const asked = [...this.#journal.asked.values()].filter(({ nonce }) => nonce >= first);
    const underWay = asked.filter(({ attempts }) => attempts.length > 0);
    const givesWay = this.#random.chance(0.3);
    this.#note(() => (givesWay ? 'it gives way' : 'it closes'));
    this.#clock.after(RULES.graceMs, () => over.abort());
    this.#ask(
      (givesWay ? plane.giveWay(over.signal) : plane.close(over.signal)).then(async () => {
        await this.#supervisor.close();
        this.#publisher.close();
      }),
    );
    await this.#pass(CLOSE_MS);
    for (const { nonce, outcome } of underWay) {
      assert.equal(outcome?.type, 'reply', `${nonce} was under way at the end, and got no reply`);
    }
    assert.deepEqual(this.#machine.present, [], 'replicas are left after the end');
    assert.equal(this.#changes.size, 0, 'something was asked for and never answered');
    assert.equal(this.#network.open.size, 0, 'connections are left after the end');
    assert.equal(this.#clock.sleeping, 0, 'timers are left after the end');
  }

  #ask(asked: Promise<void>): void {
    this.#changes.add(asked);
    const over = (how: string) => {
      this.#changes.delete(asked);
      this.#note(() => how);
    };
    asked.then(
      () => over('done'),
      (error) => over(asBalancerError(error).message),
    );
  }

  async #pass(ms: number): Promise<void> {
    await this.#clock.play(ms, () => {
      this.#guard(() => this.#witness.onMoment());
      return this.#failure === undefined;
    });
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return;
    const { message } = this.#failure;
    const nonce = Number(/^(?:[A-Z]+ )?(\d+)/.exec(message)?.[1]);
    this.#note(() => `places: ${this.#witness.places}`);
    this.#note(() => `that request: ${JSON.stringify(this.#journal.asked.get(nonce))}`);
    throw this.#failure;
  }

  #note(what: () => string): void {
    if (this.#tells) this.told.push(`${this.#clock.now().toFixed(1)} ms: ${what()}`);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
  }

  // Callbacks may not throw, so the first failure is kept until it can be reported.
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error as Error);
    }
  }
}
