// What the ring tells about itself: /balancer/ring shows where each virtual node is and how even the shares are, and
// /balancer/explain where a request would go, and why.

import { type FleetState, placement, placesOf, weightsOf } from '../core/fleet/fleet-state.ts';
import { absentees, failsOpen } from '../core/fleet/outage.ts';
import type { KeyFinding } from '../core/keys/key-finding.ts';
import { writeKeySpec } from '../core/keys/key-spec.ts';
import { keyedCounts } from '../core/keys/keyed.ts';
import { goesByRequestId, type KeyClass, type KeySource } from '../core/request/key-source.ts';
import type { Poison } from '../core/request/poison.ts';
import { type Eased, reasonText } from '../core/ring/easing.ts';
import type { Explanation } from '../core/ring/explain.ts';
import { hashText } from '../core/ring/hashes/text.ts';
import type { Key } from '../core/ring/policy.ts';
import type { HashRing, SeatId } from '../core/ring/ring.ts';
import { sharesOf } from '../core/ring/ring-view.ts';
import type { HotKeysReading } from '../core/traffic/hot-keys.ts';
import type { PlaneReading } from '../core/traffic/plane-reading.ts';
import { BalancerError } from '../errors.ts';
import { parseQuestion } from './bodies.ts';

export interface InsightPorts {
  readonly state: () => FleetState;
  readonly ringOf: (places: ReadonlyMap<number, SeatId>) => HashRing;
  readonly hash: string;
  readonly virtualNodes: number;
  /** Infinity for no bound. */
  readonly balanceFactor: number;
  /** How often the bound on load has sent a request past its owner. */
  readonly diverted: () => Promise<number>;
  /** Hostnames of replicas that reply with 5xx again and again though their heartbeats are good. */
  readonly erring: () => readonly string[];
  /** Replicas that get a part of their requests only. */
  readonly eased: () => readonly Eased[];
  readonly failOpen: boolean;
  readonly poison: () => Poison;
  readonly hotKeys: () => Promise<HotKeysReading>;
  readonly reading: () => Promise<PlaneReading>;
  /** The sources of `--key`. */
  readonly key: readonly KeySource[];
  readonly explain: (key: Key, learned?: string) => Promise<Explanation | undefined>;
  readonly readKey: (
    request: { method: string; url: string; rawHeaders: readonly string[] },
    clientAddress: string | undefined,
  ) => KeyFinding;
}

/** What /balancer/ring tells. */
export interface RingFacts extends LastingFacts, PassingFacts {}

/** Facts that change with the ring alone, or with the hostnames on it. */
interface LastingFacts {
  /** M, the number of slots. */
  readonly slots: number;
  /** K, the number of virtual nodes of each place. */
  readonly virtualNodes: number;
  /** Name or path of the hash pair; `own` if it is functions of the program. */
  readonly hash: string;
  /** The same for the same ring. */
  readonly digest: string;
  /** Each virtual node, by ascending slot. */
  readonly points: readonly { readonly slot: number; readonly seat: SeatId; readonly replica: string | undefined }[];
  /** The part of the slots that leads to each replica, 0 … 1, by hostname. */
  readonly shares: Readonly<Record<string, number>>;
  /** How many places on the ring each replica has, 1 … 16, by hostname. */
  readonly weights: Readonly<Record<string, number>>;
  /** The largest ratio of a share to what it should be. */
  readonly maxOverMean: number;
}

interface PassingFacts {
  /** Why replicas take no requests, by hostname. */
  readonly absent: Readonly<Record<string, string>>;
  /** Replicas that should take none, judging by their replies. */
  readonly erring: readonly string[];
  /** Requests that are refused, since two replicas ended that had them. */
  readonly quarantined: Poison['quarantined'];
  readonly eased: readonly EasedFacts[];
  /** The replicas that were well last get requests for want of better ones. */
  readonly failsOpen: boolean;
  /** The bound on load, `null` for none, and how often it has sent a request past its owner. */
  readonly balance: { readonly factor: number | null; readonly diverted: number };
}

/** A replica that gets a part of its requests only, since it is slower than the others or fails more. */
export interface EasedFacts {
  readonly replica: string;
  /** The part that it gets, above 0 and below 1. */
  readonly share: number;
  readonly reason: string;
}

/** What /balancer/explain tells: where a request goes, and why. Replicas are told by hostname. */
export interface ExplanationFacts {
  readonly key: Key;
  /** The source of `--key` that gives it; `null` if the question has the key itself. */
  readonly source: string | null;
  readonly slot: number;
  /** Whose slot that is; `null` if there is no replica. */
  readonly owner: string | null | undefined;
  /** Who gets the request; `null` if nobody can. */
  readonly replica: string | null | undefined;
  readonly skipped: readonly {
    readonly seat: SeatId;
    readonly replica: string | undefined;
    readonly why: Explanation['skipped'][number]['why'];
  }[];
  /** All replicas in the order in which they are asked. */
  readonly order: readonly (string | undefined)[];
  readonly eased: readonly EasedFacts[];
  /**
   * With `--balance-by bytes`, in that order: what weighs at a replica, and the bound below which it takes a request
   * without a body, `null` for none.
   */
  readonly weights?: readonly {
    readonly replica: string | undefined;
    readonly weight: number;
    readonly most: number | null;
  }[];
}

/** What /balancer/keys tells, of the last one to two minutes of traffic. */
export interface HotKeysFacts {
  /** `--key`, as it is written; `null` if requests go by their ids. */
  readonly source: string | null;
  /** Requests with a key. */
  readonly requests: number;
  /** Since the start, by the class of the key: how many went to the seat that comes first for it, and how many not. */
  readonly classes: readonly { readonly class: KeyClass; readonly owner: number; readonly other: number }[];
  /** The most frequent first. */
  readonly keys: readonly {
    readonly key: Key;
    /** `null` before there was a ring. */
    readonly slot: number | null;
    /** Whose slot that is. */
    readonly owner: string | null;
    /** Who has set the cookie of a learned key, and so comes before the owner; `null` for other keys. */
    readonly home: string | null;
    /** The seat that comes first for the key: that of the home, else of the owner. */
    readonly seat: SeatId | null;
    /** At most so many, and at least so many less `error`. */
    readonly requests: number;
    readonly error: number;
    /** Of all requests with a key. */
    readonly part: number;
  }[];
}

/**
 * Gives the function that answers /balancer/ring: JSON, in parts. For a large ring it has megabytes and takes a tenth
 * of a second, and anybody may ask for it. So it is made once for each ring and its hostnames
 * (test/admin/ring-page.test.ts). The part that changes without the ring is made each time.
 */
export function createRingPage(ports: InsightPorts): () => Promise<readonly Buffer[]> {
  let madeFor = '';
  let made = Buffer.alloc(0);
  return async () => {
    const diverted = await ports.diverted();
    const state = ports.state();
    const seats = [ports.hash, ...state.seats.map(({ replica }) => `${replica.hostname} ${placesOf(replica)}`)].join(
      ';',
    );
    if (made.length === 0 || seats !== madeFor) {
      made = Buffer.from(JSON.stringify(ringFacts(ports, state)).slice(0, -1));
      madeFor = seats;
    }
    return [made, Buffer.from(`,${JSON.stringify(passingFacts(ports, state, diverted)).slice(1)}`)];
  };
}

function passingFacts(ports: InsightPorts, state: FleetState, diverted: number): PassingFacts {
  return {
    absent: Object.fromEntries(absentees(state).map(({ hostname, reason }) => [hostname, reason])),
    erring: ports.erring(),
    quarantined: ports.poison().quarantined,
    eased: easedFacts(ports.eased()),
    failsOpen: failsOpen(state, ports.failOpen),
    balance: {
      // JSON has no Infinity.
      factor: Number.isFinite(ports.balanceFactor) ? ports.balanceFactor : null,
      diverted,
    },
  };
}

function ringFacts(ports: InsightPorts, state: FleetState): LastingFacts {
  const ring = ports.ringOf(placement(state));
  const { bySeat, maxOverMean } = sharesOf(ring, weightsOf(state));
  const replica = hostnames(state);
  return {
    slots: ring.slotCount,
    virtualNodes: ports.virtualNodes,
    hash: ports.hash,
    digest: ring.digest(),
    points: ring.points.map(({ slot, seat }) => ({ slot, seat, replica: replica(seat) })),
    shares: Object.fromEntries([...bySeat].map(([seat, share]) => [replica(seat), share])),
    weights: Object.fromEntries([...weightsOf(state)].map(([seat, weight]) => [replica(seat), weight])),
    maxOverMean,
  };
}

// Made once for all seats: a search for each one would take quadratic time.
function hostnames(state: FleetState): (seat: SeatId) => string | undefined {
  const bySeat = new Map(state.seats.map(({ replica }) => [replica.seat, replica.hostname]));
  return (seat) => bySeat.get(seat);
}

/** Throws `bad-body` for a question that is malformed or says too little, `no-replica` before there was a ring. */
export async function explainRequest(ports: InsightPorts, text: string): Promise<ExplanationFacts> {
  const question = parseQuestion(text);
  const { key, source, learned } = keyOf(ports, question);
  const explanation = await ports.explain(key, learned);
  if (explanation === undefined) throw new BalancerError('no-replica', 'there is no ring yet');
  return describeExplanation(explanation, source, hostnames(ports.state()));
}

/** An explanation in the form for JSON, with hostnames for seats. */
function describeExplanation(
  explanation: Explanation,
  source: string | null,
  hostname: (seat: SeatId) => string | undefined,
): ExplanationFacts {
  const { key, slot, order, skipped, taken, eased, weights } = explanation;
  const [owner] = order;
  return {
    key,
    source,
    slot,
    owner: owner === undefined ? null : hostname(owner),
    replica: taken === undefined ? null : hostname(taken),
    skipped: skipped.map(({ seat, why }) => ({ seat, replica: hostname(seat), why })),
    order: order.map(hostname),
    eased: easedFacts(eased),
    ...(weights !== undefined && {
      weights: weights.map(({ seat, weight, most }) => ({
        replica: hostname(seat),
        weight,
        // JSON has no Infinity.
        most: Number.isFinite(most) ? most : null,
      })),
    }),
  };
}

/** In the form for JSON. */
export function easedFacts(eased: readonly Eased[]): readonly EasedFacts[] {
  return eased.map(({ replica, share, why }) => ({ replica: replica.hostname, share, reason: reasonText(why) }));
}

const MOST_HOT_KEYS = 20;

/** Which keys come most often, and where they lead. What a client of theirs sent is not told. */
export async function hotKeys(ports: InsightPorts): Promise<HotKeysFacts> {
  const [{ total, keys }, reading] = await Promise.all([ports.hotKeys(), ports.reading()]);
  const hostname = hostnames(ports.state());
  const nameOf = (seat: SeatId | undefined) => (seat === undefined ? null : (hostname(seat) ?? null));
  const shown = keys.slice(0, MOST_HOT_KEYS).map(({ key, slot = null, owner, home, count, error }) => ({
    key,
    slot,
    owner: nameOf(owner),
    home: nameOf(home),
    seat: home ?? owner ?? null,
    requests: count,
    error,
    part: count / total,
  }));
  const classes = keyedCounts(reading).map(({ keyClass, owner, other }) => ({ class: keyClass, owner, other }));
  const source = goesByRequestId(ports.key) ? null : writeKeySpec(ports.key);
  return { source, requests: total, classes, keys: shown };
}

function keyOf(
  ports: InsightPorts,
  question: ReturnType<typeof parseQuestion>,
): { readonly key: Key; readonly source: string | null; readonly learned?: string | undefined } {
  if (question.type === 'key') {
    const { key } = question;
    return { key: typeof key === 'number' ? key : hashText(onWire(key)), source: null };
  }
  const rawHeaders = question.rawHeaders.map((text) => onWire(text.trim()));
  const request = { method: question.method, url: onWire(question.path), rawHeaders };
  const inHead = ports.readKey(request, question.client);
  const { key, source, learned } = inHead.further?.([Buffer.from(question.body)]) ?? inHead;
  if (key !== undefined) return { key, source, learned };
  throw new BalancerError(
    'bad-body',
    'such a request has no key and goes by its request id: ask with {"requestId": 123456}, or give more of it',
  );
}

// On the wire a key is read byte by byte, one unit for each. JSON has it as text.
function onWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
