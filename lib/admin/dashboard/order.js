// In which order replicas are listed, and which of them: what the person at the page has chosen. Seats come by number
// at first, so that a replacement stands where the replica before it stood.

import { byId } from './document.js';
import { formatCount } from './format.js';
import { takesRequests } from './model.js';

/**
 * @typedef {import('./model.js').Fleet} Fleet
 * @typedef {import('./model.js').Seat} Seat
 * @typedef {import('./model.js').Traffic} Traffic
 */

/** With more replicas than this, one has to search. */
const MANY = 8;

/** Numbers sort the largest first, since the busiest and the slowest are looked for. @type {Record<string, (seat: Seat, counts: Traffic | undefined) => number | string>} */
const BY = {
  seat: ({ seat }) => seat,
  replica: ({ replica }) => replica,
  state: (seat) => (takesRequests(seat) ? `1 ${seat.state}` : `0 ${seat.state}`),
  'in-flight': (_, counts) => -(counts?.inFlight ?? 0),
  rate: (_, counts) => -(counts?.rate ?? 0),
  errors: (_, counts) => -(counts?.failed ?? 0),
  p50: (_, counts) => -(counts?.p50 ?? 0),
  p99: (_, counts) => -(counts?.p99 ?? 0),
};

/** @param {() => void} changed is called when another order or choice holds */
export function createOrder(changed) {
  const bar = byId('find', HTMLElement);
  const search = byId('find-name', HTMLInputElement);
  const states = byId('find-state', HTMLSelectElement);
  const sort = byId('find-sort', HTMLSelectElement);
  for (const input of [search, states, sort]) input.addEventListener('input', changed);
  const heads = [...document.querySelectorAll('thead button')];
  for (const head of heads) {
    head.addEventListener('click', () => {
      const by = head.getAttribute('value') ?? 'seat';
      sort.value = sort.value === by ? 'seat' : by;
      changed();
    });
  }

  return {
    /**
     * The seats to list, in their order.
     * @param {Fleet} fleet
     * @param {Traffic[]} traffic
     * @returns {Seat[]}
     */
    of(fleet, traffic) {
      const count = fleet.seats.length;
      bar.hidden = count <= MANY && search.value === '' && states.value === '' && sort.value === 'seat';
      const counts = new Map(traffic.map((one) => [one.incarnation, one]));
      const by = BY[sort.value] ?? ((/** @type {Seat} */ { seat }) => seat);
      const wanted = search.value.trim().toLowerCase();
      const shown = fleet.seats.filter((seat) => {
        const fits = states.value === '' || takesRequests(seat) === (states.value === 'serving');
        return fits && (wanted === '' || seat.replica.toLowerCase().includes(wanted) || String(seat.seat) === wanted);
      });
      byId('find-count', HTMLElement).textContent =
        shown.length === count
          ? `${formatCount(count)} replicas`
          : `${formatCount(shown.length)} of ${formatCount(count)}`;
      for (const head of heads) {
        const isBy = head.getAttribute('value') === sort.value;
        head.parentElement?.setAttribute(
          'aria-sort',
          !isBy ? 'none' : isUpward(sort.value) ? 'ascending' : 'descending',
        );
      }
      return shown.toSorted((one, other) => {
        const [a, b] = [one, other].map((seat) => by(seat, counts.get(seat.incarnation)));
        if (typeof a === 'string' && typeof b === 'string') return a.localeCompare(b, 'en', { numeric: true });
        return Number(a) - Number(b) || one.seat - other.seat;
      });
    },
  };
}

/** @param {string} by */
const isUpward = (by) => by === 'seat' || by === 'replica' || by === 'state';
