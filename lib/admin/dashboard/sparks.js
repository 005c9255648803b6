// Draws a spark for each request that the page is told of. It lands on its slot, goes clockwise to the virtual node
// that took it, and from there to the replica. A canvas and a limit on their number bound the work of a frame, whatever
// the load.

import { byId } from './document.js';
import { nodeReached, seatColour } from './model.js';
import { BAND, CENTRE, placesOf, pointAt } from './places.js';

/**
 * @typedef {{ bornMs: number, turn: number, travel: number, x: number, y: number, colour: string, failed: boolean,
 *   slot: number, seat: number }} Spark `bornMs` by the clock of the picture
 */

const MOST = 600;
const LAND_MS = 160;
const TRAVEL_MS = 380;
const FALL_MS = 330;
const LIFE_MS = LAND_MS + TRAVEL_MS + FALL_MS;
const MIDDLE = (BAND.inner + BAND.outer) / 2;
const SKY = BAND.outer + 34;
/** How near to a spark one has to point, in units of the picture. */
const NEAR = 16;

export function createSparks() {
  const canvas = byId('sparks', HTMLCanvasElement);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const stillness = matchMedia('(prefers-reduced-motion: reduce)');
  /** @type {Spark[]} */
  let sparks = [];
  let frame = 0;
  const clock = createPictureClock();
  const colourOf = createPalette();

  const fit = () => {
    const size = Math.round(canvas.clientWidth * Math.min(2, devicePixelRatio));
    if (size === canvas.width || size === 0) return;
    canvas.width = size;
    canvas.height = size;
  };
  new ResizeObserver(fit).observe(canvas);

  const draw = () => {
    frame = 0;
    const nowMs = clock.now();
    const scale = canvas.width / (2 * CENTRE);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, 2 * CENTRE, 2 * CENTRE);
    sparks = sparks.filter((spark) => nowMs - spark.bornMs < LIFE_MS);
    for (const spark of sparks) {
      if (nowMs >= spark.bornMs) drawSpark(context, spark, nowMs - spark.bornMs, stillness.matches);
    }
    if (sparks.length > 0 && !clock.stands()) frame = requestAnimationFrame(draw);
  };

  return {
    /** @param {number} wanted is 1 for the pace of the requests, 0 to stand */
    setSpeed(wanted) {
      clock.setSpeed(wanted);
      if (frame === 0) frame = requestAnimationFrame(draw);
    },

    /**
     * The spark nearest to that point of the picture, if one is near.
     * @param {number} x
     * @param {number} y
     */
    near(x, y) {
      const nowMs = clock.now();
      const distance = (/** @type {Spark} */ spark) => {
        const [sparkX, sparkY] = stillness.matches
          ? pointAt(spark.turn, SKY - 14)
          : positionAt(spark, nowMs - spark.bornMs);
        return Math.hypot(sparkX - x, sparkY - y);
      };
      const there = sparks.filter((spark) => nowMs >= spark.bornMs && distance(spark) < NEAR);
      const [nearest] = there.sort((one, other) => distance(one) - distance(other));
      return nearest;
    },

    /**
     * @param {readonly number[]} told has slot, seat and status in turn
     * @param {import('./model.js').Ring} ring
     * @param {import('./model.js').Fleet} fleet
     */
    land(told, ring, fleet) {
      if (document.hidden || ring.slots === 0 || clock.stands()) return;
      const places = placesOf(fleet);
      const nowMs = clock.now();
      for (let index = 0; index < told.length && sparks.length < MOST; index += 3) {
        const [slot = 0, seat = 0, status = 0] = told.slice(index, index + 3);
        const place = places.get(seat);
        if (place === undefined) continue;
        const reached = nodeReached(ring, slot, seat);
        const failed = status === 0 || status >= 500;
        sparks.push({
          // The requests came within a twentieth of a second, so their sparks are spread over as long.
          bornMs: nowMs + (index / told.length) * 50,
          slot,
          seat,
          turn: (slot + 0.5) / ring.slots,
          travel: ((reached - slot + ring.slots) % ring.slots) / ring.slots,
          ...edgeOf(place, (reached + 0.5) / ring.slots),
          colour: colourOf(failed ? 'bad' : seatColour(seat)),
          failed,
        });
      }
      if (frame === 0) frame = requestAnimationFrame(draw);
    },
  };
}

/** Gives colours of the page by their names, in the scheme of the moment. */
function createPalette() {
  /** @type {Map<string, string>} */
  let colours = new Map();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colours = new Map();
  });
  return (/** @type {string} */ name) => {
    let colour = colours.get(name);
    if (colour === undefined) {
      colour = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
      colours.set(name, colour);
    }
    return colour;
  };
}

/** A clock that can go slowly or stand, as a video can. */
function createPictureClock() {
  let speed = 1;
  let pictureMs = 0;
  let lastMs = performance.now();
  const now = () => {
    const realMs = performance.now();
    pictureMs += (realMs - lastMs) * speed;
    lastMs = realMs;
    return pictureMs;
  };
  return {
    now,
    stands: () => speed === 0,
    /** @param {number} wanted */
    setSpeed: (wanted) => {
      now();
      speed = wanted;
    },
  };
}

/**
 * Where a spark from that turn of the ring meets the edge of the replica, so that it does not cover the number.
 * @param {{ x: number, y: number, radius: number }} place
 * @param {number} turn
 */
function edgeOf({ x, y, radius }, turn) {
  const [fromX, fromY] = pointAt(turn, MIDDLE);
  const part = radius / Math.hypot(fromX - x, fromY - y);
  return { x: x + (fromX - x) * part, y: y + (fromY - y) * part };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Spark} spark
 * @param {number} ageMs
 * @param {boolean} still means that nothing may move: the spark is only a mark at its slot
 */
function drawSpark(context, spark, ageMs, still) {
  const [x, y] = still ? pointAt(spark.turn, SKY - 14) : positionAt(spark, ageMs);
  context.fillStyle = spark.colour;
  context.strokeStyle = spark.colour;
  if (!still) {
    const [tailX, tailY] = positionAt(spark, Math.max(0, ageMs - 26));
    context.globalAlpha = 0.45;
    context.lineWidth = 3;
    context.lineCap = 'round';
    context.beginPath();
    context.moveTo(tailX, tailY);
    context.lineTo(x, y);
    context.stroke();
  }
  context.globalAlpha = 1;
  context.beginPath();
  if (spark.failed) {
    // A cross, which says without its colour that something went wrong.
    context.lineWidth = 3;
    context.moveTo(x - 5, y - 5);
    context.lineTo(x + 5, y + 5);
    context.moveTo(x - 5, y + 5);
    context.lineTo(x + 5, y - 5);
    context.stroke();
    return;
  }
  context.arc(x, y, 3.4, 0, 2 * Math.PI);
  context.fill();
}

/**
 * @param {Spark} spark
 * @param {number} ageMs
 * @returns {[x: number, y: number]}
 */
function positionAt({ turn, travel, x, y }, ageMs) {
  if (ageMs < LAND_MS) return pointAt(turn, SKY + (MIDDLE - SKY) * (ageMs / LAND_MS) ** 2);
  const travelled = (ageMs - LAND_MS) / TRAVEL_MS;
  if (travelled < 1) return pointAt(turn + travel * travelled * (2 - travelled), MIDDLE);
  const [fromX, fromY] = pointAt(turn + travel, MIDDLE);
  const fallen = Math.min(1, (ageMs - LAND_MS - TRAVEL_MS) / FALL_MS) ** 1.6;
  return [fromX + (x - fromX) * fallen, fromY + (y - fromY) * fallen];
}
