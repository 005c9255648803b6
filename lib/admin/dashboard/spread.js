// How evenly requests are spread: for each seat a bar for its requests relative to the mean, and a notch where its part
// of the slots would put it.

import { byId, html, setText, swatch } from './document.js';
import { formatCount, formatPart, shortenMiddle } from './format.js';
import { seatClass, sharesOf, spreadOf } from './model.js';

const LEAST_SCALE = 1.5;
const MANY = 16;
const MOST_LETTERS = 22;

export function createSpread() {
  const list = byId('spread', HTMLUListElement);
  return {
    /**
     * @param {import('./model.js').Fleet} fleet
     * @param {import('./model.js').Ring} ring
     * @param {import('./model.js').Spread} spread
     */
    show(fleet, ring, spread) {
      const { total, seats: inOrder, maxOverMean } = spreadOf(fleet, spread);
      // Of many, those that stand out are looked for.
      const seats = inOrder.length > MANY ? inOrder.toSorted((a, b) => b.overMean - a.overMean) : inOrder;
      const shares = sharesOf(ring);
      const weights = fleet.seats.reduce((sum, { weight }) => sum + weight, 0);
      const scale = Math.max(LEAST_SCALE, maxOverMean * 1.05);
      list.classList.toggle('many', seats.length > 8);
      list.replaceChildren(
        ...seats.map(({ seat, part, overMean }) => {
          const ringOverMean = (shares.get(seat.seat) ?? 0) / (seat.weight / weights);
          const bar = html('span', { class: 'bar' });
          const mean = html('span', { class: 'mean' });
          const notch = html('span', { class: 'notch' });
          bar.style.width = `${(100 * overMean) / scale}%`;
          mean.style.left = `${100 / scale}%`;
          notch.style.left = `${Math.min(100, (100 * ringOverMean) / scale)}%`;
          const figures = total === 0 ? '–' : `${formatPart(part)} · ${overMean.toFixed(2)}×`;
          return html(
            'li',
            { class: seatClass(seat.seat) },
            swatch(seat.seat),
            html('span', { class: 'name', title: seat.replica }, shortenMiddle(seat.replica, MOST_LETTERS)),
            html('span', { class: 'track', 'aria-hidden': 'true' }, bar, mean, notch),
            html('span', { class: 'figures' }, figures),
          );
        }),
      );
      const over = `${formatCount(total)} requests in ${spread.seconds} s`;
      setText('spread-ratio', total === 0 ? 'no requests yet' : `max / mean ${maxOverMean.toFixed(2)} · ${over}`);
    },
  };
}
