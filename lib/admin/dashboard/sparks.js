// Draws a spark for each request that the page is told of. It lands on its slot, goes clockwise to the virtual node
// that took it, and from there to the replica. A canvas and a limit on their number bound the work of a frame, whatever
// the load.

import { byId } from './document.js';
import { nodeReached, seatClass } from './model.js';
import { BAND, CENTRE, placesOf, pointAt } from './ring.js';

/**
 * @typedef {{ bornMs: number, turn: number, travel: number, x: number, y: number, colour: string, failed: boolean }}
 * Spark
 */

const MOST = 600;
const LAND_MS = 160;
const TRAVEL_MS = 380;
const FALL_MS = 330;
const LIFE_MS = LAND_MS + TRAVEL_MS + FALL_MS;
const MIDDLE = (BAND.inner + BAND.outer) / 2;
const SKY = BAND.outer + 34;

export function createSparks() {
  const canvas = byId('sparks', HTMLCanvasElement);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const stillness = matchMedia('(prefers-reduced-motion: reduce)');
  /** @type {Spark[]} */
  let sparks = [];
  let frame = 0;
  /** @type {Map<string, string>} */
  let colours = new Map();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    colours = new Map();
  });

  const fit = () => {
    const size = Math.round(canvas.clientWidth * Math.min(2, devicePixelRatio));
    if (size === canvas.width || size === 0) return;
    canvas.width = size;
    canvas.height = size;
  };
  new ResizeObserver(fit).observe(canvas);

  /** @param {string} name */
  const colourOf = (name) => {
    let colour = colours.get(name);
    if (colour === undefined) {
      colour = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
      colours.set(name, colour);
    }
    return colour;
  };

  const draw = () => {
    frame = 0;
    const nowMs = performance.now();
    const scale = canvas.width / (2 * CENTRE);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, 2 * CENTRE, 2 * CENTRE);
    sparks = sparks.filter((spark) => nowMs - spark.bornMs < LIFE_MS);
    for (const spark of sparks) {
      if (nowMs >= spark.bornMs) drawSpark(context, spark, nowMs - spark.bornMs, stillness.matches);
    }
    if (sparks.length > 0) frame = requestAnimationFrame(draw);
  };

  return {
    /**
     * @param {readonly number[]} told has slot, seat and status in turn
     * @param {import('./model.js').Ring} ring
     * @param {import('./model.js').Fleet} fleet
     */
    land(told, ring, fleet) {
      if (document.hidden || ring.slots === 0) return;
      const places = placesOf(fleet);
      const nowMs = performance.now();
      for (let index = 0; index < told.length && sparks.length < MOST; index += 3) {
        const [slot = 0, seat = 0, status = 0] = told.slice(index, index + 3);
        const place = places.get(seat);
        if (place === undefined) continue;
        const reached = nodeReached(ring, slot, seat);
        const failed = status === 0 || status >= 500;
        sparks.push({
          // The requests came within a twentieth of a second, so their sparks are spread over as long.
          bornMs: nowMs + (index / told.length) * 50,
          turn: (slot + 0.5) / ring.slots,
          travel: ((reached - slot + ring.slots) % ring.slots) / ring.slots,
          ...edgeOf(place, (reached + 0.5) / ring.slots),
          colour: colourOf(failed ? 'bad' : seatClass(seat)),
          failed,
        });
      }
      if (frame === 0) frame = requestAnimationFrame(draw);
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
  context.arc(x, y, spark.failed ? 5 : 3.4, 0, 2 * Math.PI);
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
