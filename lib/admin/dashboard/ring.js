// The ring as a circle: slot 0 at the top, an arc for each virtual node in the colour of its seat, and the replicas
// within. What a change would move is drawn around it before the change is made.

import { byId, svg } from './document.js';
import { formatCount, formatPart, shorten } from './format.js';
import { arcsOf, movesBetween, seatClass, sharesOf } from './model.js';

/** @typedef {import('./model.js').Ring} Ring */
/** @typedef {import('./model.js').Fleet} Fleet */

/** In units of the picture, which is 640 wide and high. */
export const CENTRE = 320;
export const BAND = { inner: 238, outer: 266 };
const GHOST = { inner: 273, outer: 287 };
const LABEL_RADIUS = 303;
/** With more replicas than this there is no room for their names. */
const MOST_NAMED = 16;
/** A longer name would run into the next one or across the band. */
const MOST_LETTERS = 16;
/** With more virtual nodes than this, they are drawn finer. */
const CROWDED = 100;

/**
 * @param {number} turn is from 0 to 1, clockwise from the top
 * @param {number} radius
 * @returns {[x: number, y: number]}
 */
export function pointAt(turn, radius) {
  const angle = turn * 2 * Math.PI;
  return [CENTRE + radius * Math.sin(angle), CENTRE - radius * Math.cos(angle)];
}

/**
 * Where each replica sits inside the ring, by its seat.
 * @param {Fleet} fleet
 * @returns {Map<number, { x: number, y: number, radius: number }>}
 */
export function placesOf(fleet) {
  const count = fleet.seats.length;
  const circle = count === 1 ? 0 : count <= 8 ? 128 : 168;
  const radius = Math.max(4, Math.min(36, (0.62 * Math.PI * circle) / count || 36));
  return new Map(
    fleet.seats.map(({ seat }, index) => {
      const [x, y] = pointAt(index / count, circle);
      return [seat, { x, y: count <= MOST_NAMED ? y - 8 : y, radius }];
    }),
  );
}

export function createRingView() {
  const picture = byId('ring', SVGSVGElement);
  const ghosts = svg('g', { class: 'ghosts' });
  const arcs = svg('g', { class: 'arcs' });
  const marks = svg('g', { class: 'marks' });
  const nodes = svg('g', { class: 'nodes' });
  picture.append(ghosts, arcs, marks, nodes);
  /** @type {Map<number, SVGTextElement>} */
  let rates = new Map();
  /** @type {Map<number, string>} */
  let states = new Map();

  /** @param {Fleet} fleet */
  const paintStates = (fleet) => {
    states = new Map(fleet.seats.map(({ seat, state }) => [seat, state]));
    for (const arc of arcs.children)
      arc.setAttribute('data-state', states.get(Number(arc.getAttribute('data-seat'))) ?? '');
  };

  return {
    /** @param {Ring} ring */
    showRing(ring) {
      const { slots } = ring;
      picture.classList.toggle('crowded', ring.points.length > CROWDED);
      arcs.replaceChildren(
        ...arcsOf(ring).map(({ from, to, seat }) =>
          svg('path', {
            d: sector(from / slots, (to + 1) / slots, BAND),
            class: `arc ${seatClass(seat)}`,
            'data-seat': seat,
            'data-state': states.get(seat) ?? '',
          }),
        ),
      );
      marks.replaceChildren(...nodeMarks(ring), ...slotLabels(slots));
    },

    /**
     * @param {Fleet} fleet
     * @param {Ring} ring
     */
    showFleet(fleet, ring) {
      const shares = sharesOf(ring);
      const places = placesOf(fleet);
      const named = fleet.seats.length <= MOST_NAMED;
      rates = new Map();
      nodes.replaceChildren(
        ...fleet.seats.map((seat) => {
          const rate = svg('text', { class: 'node-rate' });
          rates.set(seat.seat, rate);
          return nodeOf(seat, places.get(seat.seat) ?? { x: 0, y: 0, radius: 0 }, named, rate);
        }),
      );
      paintStates(fleet);
      const words = fleet.seats.map(({ seat, replica, state }) => {
        const how = state === 'serving' ? '' : `, ${state}`;
        return `${replica} ${formatPart(shares.get(seat) ?? 0)}${how}`;
      });
      picture.setAttribute('aria-label', `Ring of ${ring.slots} slots. Parts of the slots: ${words.join('; ')}.`);
    },

    /**
     * @param {import('./model.js').Traffic[]} traffic
     * @param {boolean} named
     */
    showRates(traffic, named) {
      const perSeat = new Map(traffic.map(({ seat, rate }) => [seat, rate]));
      for (const [seat, text] of rates) text.textContent = named ? `${formatCount(perSeat.get(seat) ?? 0)}/s` : '';
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
 * Draws a replica: its seat's number in a disc, with its name and requests per second below.
 * @param {import('./model.js').Seat} seat
 * @param {{ x: number, y: number, radius: number }} place
 * @param {boolean} named
 * @param {SVGTextElement} rate
 */
function nodeOf({ seat, replica, state }, { x, y, radius }, named, rate) {
  const disc = svg('circle', { cx: x, cy: y, r: radius, class: 'node-disc' });
  const size = Math.round(radius * 0.8);
  const number = svg('text', { x, y: y + radius * 0.28, 'font-size': size, class: 'node-number' });
  number.textContent = radius < 9 ? '' : String(seat);
  const name = svg('text', { x, y: y + radius + 18, class: 'node-name' }, named ? shorten(replica, MOST_LETTERS) : '');
  rate.setAttribute('x', String(x));
  rate.setAttribute('y', String(y + radius + 33));
  return svg(
    'g',
    { class: `node ${seatClass(seat)}`, 'data-state': state },
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

/**
 * A piece of a ring, from one turn to another, clockwise.
 * @param {number} from
 * @param {number} to
 * @param {{ inner: number, outer: number }} band
 */
function sector(from, to, { inner, outer }) {
  // An arc for a whole ring would end where it begins and be empty.
  const end = Math.min(to, from + 0.9999);
  const large = end - from > 0.5 ? 1 : 0;
  const [[a, b], [c, d]] = [rounded(pointAt(from, outer)), rounded(pointAt(end, outer))];
  const [[e, f], [g, h]] = [rounded(pointAt(end, inner)), rounded(pointAt(from, inner))];
  return `M${a} ${b}A${outer} ${outer} 0 ${large} 1 ${c} ${d}L${e} ${f}A${inner} ${inner} 0 ${large} 0 ${g} ${h}Z`;
}

/**
 * @param {[number, number]} point
 * @returns {[string, string]}
 */
const rounded = ([x, y]) => [x.toFixed(2), y.toFixed(2)];
