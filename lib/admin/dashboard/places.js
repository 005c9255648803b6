// Where things are in the picture of the ring, by arithmetic: turns and radii become points, and replicas get places
// within. Nothing here touches the document.

/** @typedef {import('./model.js').Fleet} Fleet */
/**
 * @typedef {{ x: number, y: number, radius: number, circle: number }} Place
 * `circle` is the radius of the circle on which it sits with others
 */

/** In units of the picture, which is 640 wide and high. */
export const CENTRE = 320;
export const BAND = { inner: 238, outer: 266 };
/** With more replicas than this there is no room for their names. */
export const MOST_NAMED = 16;
/** Up to so many have their requests per second below the name. */
export const MOST_RATED = 12;
const FEW = 8;
/** Up to so many have room for long names. */
export const ROOMY = 5;

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
 * Where each replica sits inside the ring, by its seat: few on one circle with room for names, many on circles one
 * within the other, so that their numbers can be read.
 * @param {Fleet} fleet
 * @returns {Map<number, Place>}
 */
export function placesOf(fleet) {
  const places = fleet.seats.length <= MOST_NAMED ? namedPlaces(fleet.seats.length) : closePlaces(fleet.seats.length);
  return new Map(
    fleet.seats.map(({ seat }, index) => [seat, places[index] ?? { x: CENTRE, y: CENTRE, radius: 1, circle: 0 }]),
  );
}

/**
 * How many letters of a name fit beside those of its neighbours.
 * @param {number} count of replicas
 */
export function lettersFor(count) {
  if (count <= ROOMY) return 16;
  return count <= MOST_RATED ? 10 : 7;
}

/** @param {number} count */
function namedPlaces(count) {
  const circle = count === 1 ? 0 : count <= FEW ? 128 : 186;
  const radius = count <= FEW ? 36 : count <= MOST_RATED ? 18 : 16;
  return Array.from({ length: count }, (_, index) => {
    const [x, y] = pointAt(index / count, circle);
    return { x, y: y - 8, radius, circle };
  });
}

const EDGE = 218;
/** Wide enough for a line between two replicas. */
export const GAP = 10;

/** The largest discs of which so many have room. @param {number} count @returns {Place[]} */
function closePlaces(count) {
  for (let radius = 24; ; radius -= radius > 6 ? 1 : 0.5) {
    /** @type {{ circle: number, room: number }[]} */
    const circles = [];
    for (let circle = EDGE - radius; circle >= radius; circle -= 2 * radius + GAP) {
      circles.push({ circle, room: Math.floor((2 * Math.PI * circle) / (2 * radius + GAP)) });
    }
    const room = circles.reduce((sum, one) => sum + one.room, 0);
    if (room < count && radius > 1) continue;
    // Each circle gets its part, so that none is left nearly empty.
    let left = count;
    let roomLeft = room;
    return circles.flatMap(({ circle, room: most }) => {
      const here = Math.min(most, Math.ceil((left * most) / roomLeft));
      left -= here;
      roomLeft -= most;
      return Array.from({ length: here }, (_, index) => {
        const [x, y] = pointAt(index / here, circle);
        return { x, y, radius, circle };
      });
    });
  }
}

/**
 * The outline of a replica: a circle, or another shape where its colour was used before.
 * @param {number} series
 * @param {Place} place
 */
export function outlineOf(series, { x, y, radius }) {
  const corners = [0, 4, 4, 6][series] ?? 0;
  if (corners === 0)
    return `M${x - radius} ${y}a${radius} ${radius} 0 1 1 ${2 * radius} 0a${radius} ${radius} 0 1 1 ${-2 * radius} 0Z`;
  // A square stands on its side, a diamond on its corner. Both are a little larger, to have room for a number.
  const reach = radius * (series === 1 ? 1.18 : 1.1);
  const turned = series === 1 ? 1 / 8 : 0;
  const points = Array.from({ length: corners }, (_, index) => {
    const angle = (index / corners + turned) * 2 * Math.PI;
    return `${(x + reach * Math.sin(angle)).toFixed(1)} ${(y - reach * Math.cos(angle)).toFixed(1)}`;
  });
  return `M${points.join('L')}Z`;
}

/**
 * A piece of a ring, from one turn to another, clockwise.
 * @param {number} from
 * @param {number} to
 * @param {{ inner: number, outer: number }} band
 */
export function sector(from, to, { inner, outer }) {
  // An arc for a whole ring would end where it begins and be empty.
  const end = Math.min(to, from + 0.9999);
  const large = end - from > 0.5 ? 1 : 0;
  const [[a, b], [c, d]] = [rounded(pointAt(from, outer)), rounded(pointAt(end, outer))];
  const [[e, f], [g, h]] = [rounded(pointAt(end, inner)), rounded(pointAt(from, inner))];
  return `M${a} ${b}A${outer} ${outer} 0 ${large} 1 ${c} ${d}L${e} ${f}A${inner} ${inner} 0 ${large} 0 ${g} ${h}Z`;
}

/**
 * A line along the ring, clockwise.
 * @param {number} from
 * @param {number} to
 * @param {number} radius
 */
export function along(from, to, radius) {
  const end = Math.min(to, from + 0.9999);
  const [[a, b], [c, d]] = [rounded(pointAt(from, radius)), rounded(pointAt(end, radius))];
  return `M${a} ${b}A${radius} ${radius} 0 ${end - from > 0.5 ? 1 : 0} 1 ${c} ${d}`;
}

/**
 * @param {[number, number]} point
 * @returns {[string, string]}
 */
const rounded = ([x, y]) => [x.toFixed(2), y.toFixed(2)];
