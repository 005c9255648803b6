// The way of one request along the ring: where it lands, which virtual nodes it passes, and who takes it. Drawn on the
// ring in a colour that no replica has.

import { svg } from './document.js';
import { along, BAND, pointAt } from './places.js';
import { routeTo } from './route.js';

/**
 * @typedef {{ slot: number, reached: number | undefined, seat: number | undefined, passed: number[] }} Walk
 * `reached` is the slot of the virtual node by which `seat` takes the request, `passed` those that were not taken
 */

const LANE = BAND.outer + 9;
const CROSS = 5;

/**
 * @param {Walk} walk
 * @param {Map<number, import('./places.js').Place>} places
 * @param {number} slots
 */
export function drawWalk({ slot, reached, seat, passed }, places, slots) {
  const begin = (slot + 0.5) / slots;
  const [x, y] = pointAt(begin, LANE);
  const [fromX, fromY] = pointAt(begin, LANE + 22);
  const drawn = [svg('path', { d: `M${fromX} ${fromY}L${x} ${y}`, class: 'walk-line' }), dot(x, y, 5)];
  for (const at of passed) {
    const [cx, cy] = pointAt((at + 0.5) / slots, LANE);
    const cross = `M${cx - CROSS} ${cy - CROSS}l${2 * CROSS} ${2 * CROSS}m0 ${-2 * CROSS}l${-2 * CROSS} ${2 * CROSS}`;
    drawn.push(svg('path', { d: cross, class: 'walk-line' }));
  }
  const place = seat === undefined ? undefined : places.get(seat);
  if (reached === undefined || place === undefined) return drawn;
  const travel = ((reached - slot + slots) % slots) / slots;
  if (travel > 0) drawn.push(svg('path', { d: along(begin, begin + travel, LANE), class: 'walk-line' }));
  const { d, end } = routeTo(begin + travel, LANE, place, [...places.values()]);
  drawn.push(svg('path', { d, class: 'walk-line walk-route' }), dot(end[0], end[1], place.radius < 20 ? 3 : 4));
  return drawn;
}

/** @param {number | undefined} cx @param {number | undefined} cy @param {number} r */
const dot = (cx = 0, cy = 0, r = 4) => svg('circle', { cx, cy, r, class: 'walk-dot' });
