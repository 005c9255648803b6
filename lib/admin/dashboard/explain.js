// Says step by step where a request goes and why: for a key that is typed, by what the balancer answers; for a spark or
// a slot that is clicked, by the ring that the page has. The way is drawn on the ring.

import { byId, html } from './document.js';
import { shorten } from './format.js';
import { takesRequests, walkFrom } from './model.js';
import { CENTRE } from './places.js';
import { plainly } from './token.js';

/**
 * @typedef {import('./model.js').Snapshot} Snapshot
 * @typedef {{ key: number | string, slot: number, owner: string | null, replica: string | null,
 *   skipped: { seat: number, replica?: string, why: string }[] }} Answer
 * @typedef {{ model: () => Snapshot | undefined, draw: (walk: import('./walk.js').Walk | undefined) => void,
 *   near: (x: number, y: number) => { slot: number, seat: number, failed: boolean } | undefined }} View
 */

/** @type {Record<string, string>} */
const WHY = {
  none: 'a seat before it was taken',
  busy: 'has its part of the load',
  eased: 'is eased: it stands out as slow or failing, and gets only a part of its keys',
  suspected: 'failed a request or a heartbeat, and has not answered since',
};
/** The slots are within these radii of the picture, and a little beyond, since fingers are wide. */
const SLOTS = { from: 222, to: 300 };

/** @param {View} view */
export function createExplain(view) {
  const form = byId('explain', HTMLFormElement);
  const field = byId('explain-key', HTMLInputElement);
  const steps = byId('explain-steps', HTMLOListElement);
  const clear = byId('explain-clear', HTMLButtonElement);
  let asked = 0;
  /** How those stand that are on the way that is shown. */
  let shown = '';
  /** @type {import('./walk.js').Walk | undefined} */
  let lastWalk;

  const say = (/** @type {readonly string[]} */ lines, failed = false) => {
    steps.hidden = lines.length === 0;
    clear.hidden = lines.length === 0;
    steps.classList.toggle('failed', failed);
    steps.replaceChildren(...lines.map((line) => html('li', {}, line)));
  };
  const forget = () => {
    asked += 1;
    lastWalk = undefined;
    say([]);
    view.draw(undefined);
  };
  const draw = (/** @type {import('./walk.js').Walk} */ walk, /** @type {Snapshot} */ now) => {
    lastWalk = walk;
    shown = standingOf(walk, now);
    view.draw(walk);
  };
  clear.addEventListener('click', () => {
    forget();
    field.focus();
  });

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text === '') return forget();
    asked += 1;
    const mine = asked;
    try {
      const answer = await question(text, view.model());
      const now = view.model();
      if (mine !== asked || now === undefined) return;
      const walk = walkOf(answer, now);
      say([keyLine(answer, now), ...linesOf(walk, now, reasonsOf(answer, now))]);
      draw(walk, now);
    } catch (error) {
      if (mine !== asked) return;
      lastWalk = undefined;
      view.draw(undefined);
      say([error instanceof Error ? error.message : String(error)], true);
    }
  });

  byId('stage', HTMLElement).addEventListener('click', ({ currentTarget, clientX, clientY }) => {
    const now = view.model();
    if (now === undefined || now.ring.points.length === 0 || !(currentTarget instanceof Element)) return;
    const { left, top, width } = currentTarget.getBoundingClientRect();
    const [x, y] = [clientX - left, clientY - top].map((at) => (at / width) * 2 * CENTRE);
    const spark = view.near(x ?? 0, y ?? 0);
    const slot = spark?.slot ?? slotAt(x ?? 0, y ?? 0, now.ring.slots);
    if (slot === undefined) return;
    asked += 1;
    const walk = spark === undefined ? walkNow(slot, now) : walkTo(slot, spark.seat, now);
    const first = spark === undefined ? `A request at slot ${slot}:` : `This request landed on slot ${slot}.`;
    say([first, ...linesOf(walk, now, spark === undefined ? reasonsNow(walk, now) : reasonsThen(walk, now))]);
    draw(walk, now);
  });

  return {
    /** Forgets what was said if the change concerns it: the way may not be the way any more. */
    fleetChanged() {
      const now = view.model();
      if (steps.hidden || now === undefined) return;
      if (lastWalk === undefined || standingOf(lastWalk, now) !== shown) forget();
      // Replicas may have got other places in the picture.
      else view.draw(lastWalk);
    },
  };
}

/**
 * The ring, and how those stand that are on that way.
 * @param {import('./walk.js').Walk} walk
 * @param {Snapshot} now
 */
function standingOf({ slot, seat, passed }, { hash, ring, fleet }) {
  const onWay = new Set([
    seat,
    walkFrom(ring, slot)[0]?.seat,
    ...passed.map((at) => ring.points.find(([node]) => node === at)?.[1]),
  ]);
  const standing = fleet.seats
    .filter((one) => onWay.has(one.seat))
    .map((one) => `${one.seat} ${one.incarnation} ${one.state} ${one.eased !== ''}`);
  return `${hash} ${ring.digest} ${standing.join(', ')}`;
}

/** @param {string} text @param {Snapshot | undefined} now @returns {Promise<Answer>} */
async function question(text, now) {
  // Where requests go by ids, a number of six digits is one of these.
  const isId = /^[1-9]\d{5}$/.test(text) && now?.load.source === 'request';
  const body = JSON.stringify(isId ? { requestId: Number(text) } : { key: text });
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch('/balancer/explain', { method: 'POST', headers, body }).catch(() => undefined);
  const answer = await response?.json().catch(() => undefined);
  if (response === undefined || answer === undefined) throw new Error('The balancer did not answer.');
  if (!response.ok) throw new Error(plainly(answer.message));
  return { ...answer, key: text };
}

/** @param {Answer} answer @param {Snapshot} now @returns {import('./walk.js').Walk} */
function walkOf({ slot, replica, skipped }, { ring, fleet }) {
  const nodes = new Map(walkFrom(ring, slot).map((one) => [one.seat, one.slot]));
  const seat = fleet.seats.find((one) => one.replica === replica)?.seat;
  const passed = skipped.map((one) => nodes.get(one.seat) ?? slot);
  return { slot, seat, reached: seat === undefined ? undefined : nodes.get(seat), passed };
}

/** Where a request at that slot would go now, as far as the page knows. @param {number} slot @param {Snapshot} now */
function walkNow(slot, now) {
  const taker = walkFrom(now.ring, slot).find(({ seat }) => {
    const there = now.fleet.seats.find((one) => one.seat === seat);
    return there !== undefined && takesRequests(there);
  });
  return walkTo(slot, taker?.seat, now);
}

/** @param {number} slot @param {number | undefined} seat @param {Snapshot} now @returns {import('./walk.js').Walk} */
function walkTo(slot, seat, { ring }) {
  const order = walkFrom(ring, slot);
  const index = order.findIndex((one) => one.seat === seat);
  const before = index === -1 ? order : order.slice(0, index);
  return { slot, seat, reached: order[index]?.slot, passed: before.map((one) => one.slot) };
}

/** @param {Answer} answer @param {Snapshot} now */
function keyLine({ key, slot }, { ring }) {
  return `The key ${shorten(String(key), 40)} hashes to slot ${slot} of ${ring.slots}.`;
}

/** @param {Answer} answer @param {Snapshot} now */
function reasonsOf({ skipped }, now) {
  return skipped.map(({ seat, why }) => (why === 'absent' ? absence(seat, now) : (WHY[why] ?? why)));
}

/** @param {import('./walk.js').Walk} walk @param {Snapshot} now */
function reasonsNow(walk, now) {
  return walk.passed.map((slot) => absence(seatAt(slot, now), now));
}

/** @param {import('./walk.js').Walk} walk @param {Snapshot} now */
function reasonsThen(walk, now) {
  return walk.passed.map((slot) => {
    const seat = now.fleet.seats.find((one) => one.seat === seatAt(slot, now));
    if (seat === undefined || !takesRequests(seat)) return absence(seatAt(slot, now), now);
    return 'had its part of the load then, or had failed it';
  });
}

/** Why that seat takes no requests now. @param {number} number @param {Snapshot} now */
function absence(number, { fleet }) {
  const seat = fleet.seats.find((one) => one.seat === number);
  if (seat === undefined) return 'has gone';
  return seat.state === 'down' ? `is down: ${seat.reason}` : `is ${seat.state}`;
}

/**
 * @param {import('./walk.js').Walk} walk
 * @param {Snapshot} now
 * @param {readonly string[]} reasons for those that are passed
 */
function linesOf({ slot, seat, reached, passed }, now, reasons) {
  const nameOf = (/** @type {number | undefined} */ number) =>
    now.fleet.seats.find((one) => one.seat === number)?.replica ?? `seat ${number}`;
  const [owner] = walkFrom(now.ring, slot);
  if (owner === undefined) return ['There is no ring yet.'];
  const isOwn =
    owner.slot === slot ? 'A virtual node is there' : `Clockwise, the next virtual node is at slot ${owner.slot}`;
  const lines = [`${isOwn}: ${nameOf(owner.seat)} (seat ${owner.seat}) owns the slot.`];
  passed.slice(0, MOST_PASSED).forEach((at, index) => {
    lines.push(`${nameOf(seatAt(at, now))} is passed over: it ${reasons[index]}.`);
  });
  if (passed.length > MOST_PASSED) lines.push(`So are ${passed.length - MOST_PASSED} more.`);
  if (seat === undefined) lines.push('Nobody can take it: it would wait, and be answered 503.');
  else if (passed.length === 0) lines.push(`${nameOf(seat)} takes it.`);
  else lines.push(`${nameOf(seat)} (seat ${seat}) takes it, by its virtual node at slot ${reached}.`);
  return lines;
}

const MOST_PASSED = 5;

/** @param {number} slot @param {Snapshot} now */
const seatAt = (slot, { ring }) => ring.points.find(([at]) => at === slot)?.[1] ?? 0;

/** @param {number} x @param {number} y @param {number} slots */
function slotAt(x, y, slots) {
  const distance = Math.hypot(x - CENTRE, y - CENTRE);
  if (distance < SLOTS.from || distance > SLOTS.to) return undefined;
  const turn = Math.atan2(x - CENTRE, CENTRE - y) / (2 * Math.PI);
  return Math.floor(((turn + 1) % 1) * slots);
}
