// The line from the ring to the replica that takes a request: straight if nobody is in between, and else along the ring
// and through the gaps between replicas, so that it points to one and crosses none. Nothing here touches the document.

import { BAND, CENTRE, GAP, pointAt } from './places.js';

/** @typedef {import('./places.js').Place} Place */

/** Here the line leaves the ring, within all virtual nodes and outside of all replicas. */
const HALL = BAND.inner - 14;
/** How near a straight line may come to a replica, in units of the picture. */
const CLEAR = 12;
/** How far from the replica it ends. */
const SHORT = 5;

/**
 * The path of the line, and where it ends.
 * @param {number} from is the turn at which it leaves the ring
 * @param {number} radius from which it comes there
 * @param {Place} target
 * @param {readonly Place[]} places of all replicas
 * @returns {{ d: string, end: [x: number, y: number] }}
 */
export function routeTo(from, radius, target, places) {
  const start = pointAt(from, radius);
  const others = places.filter((one) => one !== target);
  const straight = edgeOf(target, start);
  if (others.every((one) => distanceTo(one, start, straight) > one.radius + CLEAR)) {
    return { d: `M${words(start)}L${words(straight)}`, end: straight };
  }
  const turn = (Math.atan2(target.x - CENTRE, CENTRE - target.y) / (2 * Math.PI) + 1) % 1;
  const outer = circlesOf(places).filter(({ circle }) => circle > target.circle);
  let at = from;
  let d = `M${words(start)}L${words(pointAt(from, HALL))}`;
  let hall = HALL;
  const walkTo = (/** @type {number} */ next) => {
    d += arc(at, next, hall);
    at = next;
  };
  for (const { circle, count } of outer) {
    walkTo((Math.floor(turn * count) + 0.5) / count);
    // Halfway between this circle of replicas and the next one within.
    hall = circle - target.radius - GAP / 2;
    d += `L${words(pointAt(at, hall))}`;
  }
  walkTo(turn);
  const end = edgeOf(target, pointAt(turn, hall));
  return { d: `${d}L${words(end)}`, end };
}

/** The circles on which replicas sit, the outermost first, and how many are on each. @param {readonly Place[]} places */
function circlesOf(places) {
  const groups = Map.groupBy(places, ({ circle }) => circle);
  return [...groups].map(([circle, { length: count }]) => ({ circle, count })).sort((a, b) => b.circle - a.circle);
}

/** Along the ring the shorter way, whichever that is. @param {number} from @param {number} to @param {number} radius */
function arc(from, to, radius) {
  const way = ((to - from + 1.5) % 1) - 0.5;
  return `A${radius} ${radius} 0 0 ${way > 0 ? 1 : 0} ${words(pointAt(to, radius))}`;
}

/** Where a line from that point meets the replica. @param {Place} place @param {readonly [number, number]} point */
function edgeOf({ x, y, radius }, [fromX, fromY]) {
  const part = (radius + SHORT) / Math.hypot(fromX - x, fromY - y);
  return /** @type {[number, number]} */ ([x + (fromX - x) * part, y + (fromY - y) * part]);
}

/**
 * How near a straight line comes to the middle of a replica.
 * @param {Place} place
 * @param {readonly [number, number]} from
 * @param {readonly [number, number]} to
 */
function distanceTo({ x, y }, [fromX, fromY], [toX, toY]) {
  const [dx, dy] = [toX - fromX, toY - fromY];
  const part = ((x - fromX) * dx + (y - fromY) * dy) / (dx * dx + dy * dy || 1);
  const along = Math.min(1, Math.max(0, part));
  return Math.hypot(fromX + dx * along - x, fromY + dy * along - y);
}

/** @param {readonly number[]} point */
const words = (point) => point.map((one) => one.toFixed(1)).join(' ');
