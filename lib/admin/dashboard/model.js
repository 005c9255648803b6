// What the page has been told, and what follows from it by arithmetic. Nothing here touches the document.

/**
 * @typedef {{ seat: number, replica: string, incarnation: number, weight: number, joined: number,
 *   isGiven: boolean, state: 'waiting' | 'starting' | 'serving' | 'suspected' | 'drained' | 'down', sinceMs: number | null, reason:
 *   string, eased: string }} Seat
 * @typedef {{ seat: number, replica: string, incarnation: number, state: 'draining' | 'ending' }} Leaving
 * @typedef {{ seats: Seat[], leaving: Leaving[], failsOpen: boolean }} Fleet
 * @typedef {{ perSecond: number, keys: string, path: string, leftMs: number, sent: number, failed: number,
 *   left: number, source: string, whyNoKeys: string | null }} Load
 * @typedef {{ slots: number, digest: string, points: [slot: number, seat: number][] }} Ring
 * @typedef {{ seat: number, incarnation: number, rate: number, inFlight: number, requests: number, refused: number,
 *   failed: number, p50: number | null, p99: number | null }} Traffic
 * @typedef {[atMs: number, requests: number, refused: number, failed: number, inFlight: number, p50: number | null,
 *   p90: number | null, p99: number | null]} Row
 * @typedef {{ seconds: number, seats: [seat: number, requests: number][] }} Spread
 * @typedef {{ number: number, atMs: number, what: string, replica: string, seat: number, reason?: string,
 *   instead?: string }} LogEntry
 * @typedef {{ rules: { least: number, most: number, target: number },
 *   now: { replicas: number, wanted: number, wantedLately: number, reason: string, frozenBy?: string, stable: number,
 *   panic: number, isPanic: boolean } | null,
 *   steps: { atMs: number, replicas: number, step: number, reason: string, stable: number, panic: number,
 *   moved: number, tookMs: number | null, failure: string | null }[] }} Autoscale
 * @typedef {{ hash: string, virtualNodes: number, maxReplicas: number, startsReplicas: boolean, isSample: boolean,
 *   looksOnlyBecause?: string, alone: boolean,
 *   nowMs: number, ring: Ring, fleet: Fleet, log: LogEntry[], rows: Row[], traffic: Traffic[], spread: Spread, load: Load,
 *   quarantined: { request: string, replicas: number, leftMs: number }[],
 *   parted: { url: string, differs: string[] }[], autoscale?: Autoscale }}
 *   Snapshot
 */

const COLOURS = 8;
const SERIES = 4;

/** The name of a seat's colour, which stays the same whichever replica holds the seat. @param {number} seat */
export const seatColour = (seat) => `seat-${((seat - 1) % COLOURS) + 1}`;

/** How often the colours were used up before that seat: it tells seats of one colour apart. @param {number} seat */
export const seriesOf = (seat) => Math.floor((seat - 1) / COLOURS) % SERIES;

/**
 * The classes that give a seat its colour, and its pattern where colours repeat.
 * @param {number} seat
 */
export const seatClass = (seat) => `${seatColour(seat)} series-${seriesOf(seat)}`;

/**
 * The stretches of slots that lead to each virtual node. `from` may be below 0: slot -1 is the last one.
 * @param {Ring} ring
 * @returns {{ from: number, to: number, seat: number }[]}
 */
export function arcsOf(ring) {
  let previous = (ring.points.at(-1)?.[0] ?? 0) - ring.slots;
  return ring.points.map(([slot, seat]) => {
    const arc = { from: previous + 1, to: slot, seat };
    previous = slot;
    return arc;
  });
}

/**
 * The part of the slots that leads to each seat.
 * @param {Ring} ring
 * @returns {Map<number, number>}
 */
export function sharesOf(ring) {
  /** @type {Map<number, number>} */
  const shares = new Map();
  for (const { from, to, seat } of arcsOf(ring)) {
    shares.set(seat, (shares.get(seat) ?? 0) + (to - from + 1) / ring.slots);
  }
  return shares;
}

/**
 * The stretches of slots that would go to another seat, and to which.
 * @param {Ring} before
 * @param {Ring} after has the same size
 * @returns {{ from: number, to: number, seat: number }[]}
 */
export function movesBetween(before, after) {
  if (before.points.length === 0 || after.points.length === 0) return [];
  const owners = [before, after].map(ownersOf);
  /** @type {{ from: number, to: number, seat: number }[]} */
  const moves = [];
  for (let slot = 0; slot < before.slots; slot++) {
    const [was, seat] = owners.map((owner) => owner[slot]);
    if (seat === undefined || was === seat) continue;
    const last = moves.at(-1);
    if (last !== undefined && last.to === slot - 1 && last.seat === seat) last.to = slot;
    else moves.push({ from: slot, to: slot, seat });
  }
  return moves;
}

/**
 * The slot of the virtual node by which a request at that slot came to that seat: the seat's first one clockwise.
 * @param {Ring} ring
 * @param {number} slot
 * @param {number} seat
 */
export function nodeReached(ring, slot, seat) {
  const ahead = ring.points.find(([at, owner]) => at >= slot && owner === seat);
  const found = ahead ?? ring.points.find(([, owner]) => owner === seat);
  return found?.[0] ?? slot;
}

/**
 * All seats in the order in which a request at that slot would be offered to them, each with its first virtual node.
 * @param {Ring} ring
 * @param {number} slot
 * @returns {{ seat: number, slot: number }[]}
 */
export function walkFrom({ points }, slot) {
  const ahead = points.filter(([at]) => at >= slot);
  const behind = points.filter(([at]) => at < slot);
  /** @type {Map<number, number>} */
  const first = new Map();
  for (const [at, seat] of [...ahead, ...behind]) if (!first.has(seat)) first.set(seat, at);
  return [...first].map(([seat, at]) => ({ seat, slot: at }));
}

/**
 * Does the seat take requests, so that a part of them is due to it?
 * @param {Seat} seat
 */
export const takesRequests = ({ state }) => state === 'serving' || state === 'suspected';

/**
 * How each seat's requests compare to the share that its weight gives it: 1 means exactly that share. Seats that take
 * none are not due any, unless they took some before.
 * @param {Fleet} fleet
 * @param {Spread} spread
 * @returns {{ total: number, seats: { seat: Seat, part: number, overMean: number }[], maxOverMean: number }}
 */
export function spreadOf(fleet, spread) {
  const counts = new Map(spread.seats);
  const total = fleet.seats.reduce((sum, { seat }) => sum + (counts.get(seat) ?? 0), 0);
  const due = fleet.seats.filter((seat) => takesRequests(seat) || (counts.get(seat.seat) ?? 0) > 0);
  const weights = due.reduce((sum, { weight }) => sum + weight, 0);
  const seats = fleet.seats.map((seat) => {
    const part = total === 0 ? 0 : (counts.get(seat.seat) ?? 0) / total;
    return { seat, part, overMean: due.includes(seat) ? part / (seat.weight / weights) : 0 };
  });
  return { total, seats, maxOverMean: Math.max(0, ...seats.map(({ overMean }) => overMean)) };
}

/** @param {Ring} ring */
function ownersOf(ring) {
  /** @type {number[]} */
  const owners = [];
  for (const { from, to, seat } of arcsOf(ring)) {
    for (let slot = from; slot <= to; slot++) owners[(slot + ring.slots) % ring.slots] = seat;
  }
  return owners;
}
