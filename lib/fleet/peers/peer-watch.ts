// Compares this balancer with its peers (`--peers`) once a second. A change of the fleet reaches one a moment before
// the other, so only a difference that lasts is told: it means that clients who change balancers lose their replica.

import { type Digest, disagreements } from '../../core/members/agreement.ts';
import type { Clock } from '../../core/ports.ts';
import { describe } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { within } from '../clock.ts';
import type { AskPeer } from './ask.ts';

export interface PeerWatchPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly ask: AskPeer;
  /** The digest of this balancer now. */
  readonly own: () => Digest;
}

/** A peer as it was found last. */
export interface PeerFacts {
  readonly url: string;
  /** It answers, or has failed to less than three times in a row. */
  readonly isReachable: boolean;
  /** In what it differs, and has for a while; empty if it agrees. */
  readonly differs: readonly string[];
}

const ASK_EVERY_MS = 1000;
const ANSWER_WITHIN_MS = 2000;
// Followers look at their list twice a second.
const LASTS_AFTER_MS = 5000;
const FAILURES_TO_TELL = 3;

interface Peer {
  readonly url: string;
  isAsked: boolean;
  failures: number;
  differsSinceMs: number | undefined;
  differs: readonly string[];
}

export class PeerWatch {
  readonly #ports: PeerWatchPorts;
  #peers: readonly Peer[] = [];
  #endTimer = () => {};

  constructor(ports: PeerWatchPorts) {
    this.#ports = ports;
  }

  begin(): void {
    this.#endTimer = this.#ports.clock.every(ASK_EVERY_MS, () => {
      for (const peer of this.#peers) void this.#ask(peer);
    });
  }

  close(): void {
    this.#endTimer();
    this.#peers = [];
  }

  /** Has these be the peers from now on. What is known of one that stays is kept. */
  use(urls: readonly string[]): void {
    const known = new Map(this.#peers.map((peer) => [peer.url, peer]));
    this.#peers = urls.map(
      (url) => known.get(url) ?? { url, isAsked: false, failures: 0, differsSinceMs: undefined, differs: [] },
    );
  }

  get peers(): readonly PeerFacts[] {
    return this.#peers.map(({ url, failures, differs }) => ({
      ...{ url, differs },
      isReachable: failures < FAILURES_TO_TELL,
    }));
  }

  async #ask(peer: Peer): Promise<void> {
    if (peer.isAsked) return;
    peer.isAsked = true;
    const { clock, ask } = this.#ports;
    const late = () => new Error(`no answer within ${ANSWER_WITHIN_MS} ms`);
    try {
      const digest = await within(clock, ANSWER_WITHIN_MS, (signal) => ask(peer.url, signal), late);
      if (this.#peers.includes(peer)) this.#hear(peer, digest);
    } catch (error) {
      if (this.#peers.includes(peer)) this.#miss(peer, describe(error));
    } finally {
      peer.isAsked = false;
    }
  }

  #hear(peer: Peer, digest: Digest): void {
    const { clock, log, own } = this.#ports;
    const { url } = peer;
    if (peer.failures >= FAILURES_TO_TELL) log.info('peer-found', { peer: url });
    peer.failures = 0;
    const differs = disagreements(own(), digest);
    if (differs.length === 0) {
      if (peer.differs.length > 0) log.info('peer-agrees', { peer: url });
      peer.differsSinceMs = undefined;
      peer.differs = [];
      return;
    }
    peer.differsSinceMs ??= clock.now();
    if (clock.now() - peer.differsSinceMs < LASTS_AFTER_MS) return;
    if (peer.differs.length === 0) log.error('peer-differs', { peer: url, differs });
    peer.differs = differs;
  }

  // What it was is not known any more, so it may have changed.
  #miss(peer: Peer, reason: string): void {
    peer.failures += 1;
    peer.differsSinceMs = undefined;
    if (peer.failures === FAILURES_TO_TELL) {
      peer.differs = [];
      this.#ports.log.warn('peer-lost', { peer: peer.url, reason });
    }
  }
}
