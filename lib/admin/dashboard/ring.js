// The ring as a circle: slot 0 at the top, an arc for each virtual node in the colour and with the number of its seat,
// and the replicas within. What a change would move is drawn around it before the change is made.

import { byId, svg } from './document.js';
import { formatCount, formatPart, shorten, shortenMiddle } from './format.js';
import { arcsOf, movesBetween, seatClass, seriesOf, sharesOf } from './model.js';
import {
  along,
  BAND,
  lettersFor,
  MOST_NAMED,
  MOST_RATED,
  outlineOf,
  placesOf,
  pointAt,
  ROOMY,
  sector,
} from './places.js';
import { drawWalk } from './walk.js';

/** @typedef {import('./model.js').Ring} Ring */
/** @typedef {import('./model.js').Fleet} Fleet */

const GHOST = { inner: 273, outer: 287 };
const MIDDLE = (BAND.inner + BAND.outer) / 2;
const LABEL_RADIUS = 303;
/** With more virtual nodes than this, they are drawn finer. */
const CROWDED = 100;
/** An arc that is at least so long has room for its seat's number. */
const NUMBERED_TURN = 0.012;

export function createRingView() {
  const picture = byId('ring', SVGSVGElement);
  const ghosts = svg('g', { class: 'ghosts' });
  const arcs = svg('g', { class: 'arcs' });
  const marks = svg('g', { class: 'marks' });
  const nodes = svg('g', { class: 'nodes' });
  const walk = svg('g', { class: 'walk' });
  picture.append(ghosts, arcs, marks, walk, nodes);
  /** @type {Map<number, SVGTextElement>} */
  let rates = new Map();
  /** @type {Map<number, { state: string, replica: string }>} */
  let seats = new Map();

  const picker = createPicker(picture, [arcs, nodes]);

  return {
    /** Makes all of that seat stand out, or nothing. @param {number | undefined} seat */
    pick: picker.pick,

    /** @param {Ring} ring */
    showRing(ring) {
      picture.classList.toggle('crowded', ring.points.length > CROWDED);
      const bySeat = Map.groupBy(arcsOf(ring), ({ seat }) => seat);
      arcs.replaceChildren(...[...bySeat].map(([seat, ofSeat]) => arcsOfSeat(seat, ofSeat, ring.slots)));
      marks.replaceChildren(...nodeMarks(ring), ...slotLabels(ring.slots));
      paintStates(arcs, seats);
      picker.paint();
    },

    /**
     * @param {Fleet} fleet
     * @param {Ring} ring
     */
    showFleet(fleet, ring) {
      const places = placesOf(fleet);
      const count = fleet.seats.length;
      picture.classList.toggle('many', count > 8);
      picture.classList.toggle('dense', count > MOST_RATED);
      rates = new Map();
      nodes.replaceChildren(
        ...fleet.seats.map((seat) => {
          const rate = svg('text', { class: 'node-rate' });
          if (count <= MOST_RATED) rates.set(seat.seat, rate);
          return nodeOf(seat, places.get(seat.seat) ?? { x: 0, y: 0, radius: 0, circle: 0 }, count, rate);
        }),
      );
      seats = new Map(fleet.seats.map(({ seat, state, replica }) => [seat, { state, replica }]));
      paintStates(arcs, seats);
      picker.paint();
      picture.setAttribute('aria-label', inWords(fleet, ring));
    },

    /** @param {import('./model.js').Traffic[]} traffic */
    showRates(traffic) {
      const perSeat = new Map(traffic.map(({ seat, rate }) => [seat, rate]));
      for (const [seat, text] of rates) text.textContent = `${formatCount(perSeat.get(seat) ?? 0)}/s`;
    },

    /**
     * Draws the way of one request along the ring, or none.
     * @param {import('./walk.js').Walk | undefined} way
     * @param {Fleet} fleet
     * @param {Ring} ring
     */
    showWalk(way, fleet, ring) {
      walk.replaceChildren(...(way === undefined ? [] : drawWalk(way, placesOf(fleet), ring.slots)));
    },

    /**
     * Draws around the ring what would go to another seat.
     * @param {Ring} before
     * @param {Ring} after
     */
    showGhost(before, after) {
      picture.classList.add('previews');
      ghosts.replaceChildren(
        ...movesBetween(before, after).map(({ from, to, seat }) =>
          svg('path', {
            d: sector(from / before.slots, (to + 1) / before.slots, GHOST),
            class: `ghost ${seatClass(seat)}`,
          }),
        ),
      );
    },

    hideGhost() {
      picture.classList.remove('previews');
      ghosts.replaceChildren();
    },
  };
}

/**
 * Whatever of a replica is pointed at, all of it stands out: its arcs are all round the ring.
 * @param {SVGSVGElement} picture
 * @param {readonly SVGGElement[]} groups whose children have seats
 */
function createPicker(picture, groups) {
  /** @type {number | undefined} */
  let picked;
  const paint = () => {
    picture.classList.toggle('picks', picked !== undefined);
    for (const one of groups.flatMap(({ children }) => [...children])) {
      one.classList.toggle('picked', Number(one.getAttribute('data-seat')) === picked);
    }
  };
  const pick = (/** @type {number | undefined} */ seat) => {
    if (seat === picked) return;
    picked = seat;
    paint();
  };
  picture.addEventListener('pointerover', ({ target }) => {
    const seat = target instanceof Element ? target.closest('[data-seat]')?.getAttribute('data-seat') : undefined;
    pick(seat === null || seat === undefined ? undefined : Number(seat));
  });
  picture.addEventListener('pointerleave', () => pick(undefined));
  return { pick, paint };
}

/**
 * @param {SVGGElement} arcs
 * @param {Map<number, { state: string, replica: string }>} seats
 */
function paintStates(arcs, seats) {
  for (const group of arcs.children) {
    const known = seats.get(Number(group.getAttribute('data-seat')));
    for (const arc of group.querySelectorAll('.arc')) arc.setAttribute('data-state', known?.state ?? '');
    const title = group.querySelector('title');
    if (title !== null) title.textContent = known?.replica ?? '';
  }
}

/**
 * @param {Fleet} fleet
 * @param {Ring} ring
 */
function inWords(fleet, ring) {
  const shares = sharesOf(ring);
  const words = fleet.seats.map(({ seat, replica, state }) => {
    const how = state === 'serving' ? '' : `, ${state}`;
    return `${replica} ${formatPart(shares.get(seat) ?? 0)}${how}`;
  });
  return `Ring of ${ring.slots} slots. Parts of the slots: ${words.join('; ')}.`;
}

/**
 * All arcs of a seat: its number on those that have room, and stripes where its colour was used before.
 * @param {number} seat
 * @param {{ from: number, to: number }[]} stretches
 * @param {number} slots
 */
function arcsOfSeat(seat, stretches, slots) {
  const pieces = stretches.flatMap(({ from, to }) => {
    const [begin, end] = [from / slots, (to + 1) / slots];
    const arc = svg('path', { d: sector(begin, end, BAND), class: 'arc', 'data-seat': seat, 'data-state': '' });
    const stripe = svg('path', { d: along(begin, end, MIDDLE), class: 'stripe' });
    const [x, y] = pointAt((begin + end) / 2, MIDDLE);
    const number = svg('text', { x, y, class: 'arc-number' }, String(seat));
    const striped = seriesOf(seat) === 0 ? [arc] : [arc, stripe];
    return end - begin < NUMBERED_TURN * String(seat).length ** 0.5 ? striped : [...striped, number];
  });
  return svg('g', { class: `seat-arcs ${seatClass(seat)}`, 'data-seat': seat }, svg('title'), ...pieces);
}

/**
 * Draws a replica: its seat's number in a shape, with its name and requests per second below.
 * @param {import('./model.js').Seat} seat
 * @param {import('./places.js').Place} place
 * @param {number} count of replicas
 * @param {SVGTextElement} rate
 */
function nodeOf({ seat, replica, state }, place, count, rate) {
  const { x, y, radius } = place;
  const disc = svg('path', { d: outlineOf(seriesOf(seat), place), class: 'node-disc' });
  const size = Math.round(radius * 0.85);
  const number = svg('text', { x, y, 'font-size': size, class: 'node-number' });
  number.textContent = radius < 9 ? '' : String(seat);
  const letters = lettersFor(count);
  const short = count <= ROOMY ? shorten(replica, letters) : shortenMiddle(replica, letters);
  const name = svg('text', { x, y: y + radius + 18, class: 'node-name' }, count <= MOST_NAMED ? short : '');
  rate.setAttribute('x', String(x));
  rate.setAttribute('y', String(y + radius + 35));
  return svg(
    'g',
    { class: `node ${seatClass(seat)}`, 'data-state': state, 'data-seat': seat },
    svg('title', {}, replica),
    disc,
    number,
    name,
    rate,
  );
}

/** A dot where each virtual node is, at the end of its arc. @param {Ring} ring */
function nodeMarks({ points, slots }) {
  return points.map(([slot, seat]) => {
    const [cx, cy] = pointAt((slot + 0.5) / slots, BAND.inner - 6);
    return svg('circle', { cx, cy, r: points.length > CROWDED ? 1.5 : 3, class: `node-mark ${seatClass(seat)}` });
  });
}

/** @param {number} slots */
function slotLabels(slots) {
  const quarters = slots < 4 ? [0] : [0, 1, 2, 3].map((quarter) => Math.round((quarter * slots) / 4));
  return quarters.map((slot) => {
    const [x, y] = pointAt(slot / slots, LABEL_RADIUS);
    return svg('text', { x, y: y + 5, class: 'slot-label' }, String(slot));
  });
}
