// The table of replicas by their seats, each with those below that leave it; order.js says in which order. A replica
// keeps its row element for life, so that a button keeps its focus while numbers change.

import { byId, html, swatch } from './document.js';
import { formatCount, formatMs, formatSpan, shortenMiddle } from './format.js';
import { seatClass } from './model.js';

/** @typedef {{ cells: Map<string, HTMLElement>, row: HTMLElement, buttons: HTMLButtonElement[] }} Line */

const MOST_LETTERS = 21;
const COLUMNS = [
  ['state', 'State'],
  ['up', 'Up'],
  ['in-flight', 'In flight'],
  ['rate', 'Req/s'],
  ['errors', 'Errors'],
  ['p50', 'p50'],
  ['p99', 'p99'],
];

/**
 * @typedef {(replica: string, button: HTMLElement) => void} Action
 * @param {{ drain: Action, undrain: Action, remove: Action, kill: Action }} actions
 * @param {{ pick: (seat: number | undefined) => void }} ring
 */
export function createReplicaTable(actions, ring) {
  const body = byId('replicas', HTMLTableSectionElement);
  // The hostname is part of the key because a restarted balancer counts incarnations from the start.
  const keyOf = (/** @type {{ replica: string, incarnation: number }} */ one) => `${one.incarnation} ${one.replica}`;
  /** @type {Map<string, Line>} */
  const lines = new Map();

  /** @param {{ seat: number, replica: string, incarnation: number }} of */
  const lineOf = (of) => {
    const known = lines.get(keyOf(of));
    if (known !== undefined) return known;
    const line = makeLine(of.seat, of.replica, actions);
    line.row.addEventListener('pointerenter', () => ring.pick(of.seat));
    line.row.addEventListener('pointerleave', () => ring.pick(undefined));
    lines.set(keyOf(of), line);
    return line;
  };

  return {
    /**
     * @param {import('./model.js').Seat[]} seats those to list, in their order
     * @param {import('./model.js').Leaving[]} leaving
     * @param {import('./model.js').Traffic[]} traffic
     * @param {number} nowMs
     * @param {{ changeable: boolean, isKnown: boolean }} terms `isKnown`: the balancer is there to say how they are
     */
    show(seats, leaving, traffic, nowMs, { changeable, isKnown }) {
      const byIncarnation = new Map(traffic.map((one) => [one.incarnation, one]));
      const listed = new Set(seats.map(({ seat }) => seat));
      const there = [
        ...seats.flatMap((one) => [one, ...leaving.filter(({ seat }) => seat === one.seat)]),
        ...leaving.filter(({ seat }) => !listed.has(seat)),
      ];
      for (const one of there) {
        const line = lineOf(one);
        const counts = byIncarnation.get(one.incarnation);
        const sinceMs = 'sinceMs' in one && one.state !== 'starting' ? one.sinceMs : null;
        const reason = 'reason' in one ? one.reason : '';
        line.row.dataset.state = isKnown ? one.state : 'unknown';
        const eased = 'eased' in one && one.state === 'serving' ? one.eased : '';
        line.row.dataset.eased = String(eased !== '');
        const state = one.state === 'down' ? `down: ${reason}` : eased || one.state;
        fill(line, 'state', isKnown ? state : `was ${state}`);
        line.cells.get('state')?.setAttribute('title', reason);
        fill(line, 'up', sinceMs === null ? '–' : formatSpan(nowMs - sinceMs));
        fill(line, 'in-flight', formatCount(counts?.inFlight ?? 0));
        fill(line, 'rate', formatCount(counts?.rate ?? 0));
        fill(line, 'errors', formatCount(counts?.failed ?? 0));
        fill(line, 'p50', formatMs(counts?.p50));
        fill(line, 'p99', formatMs(counts?.p99));
        const [drain, undrain, remove, kill] = line.buttons;
        const isDrained = one.state === 'drained';
        const takes = one.state === 'serving' || one.state === 'suspected';
        if (drain !== undefined) drain.hidden = !changeable || !takes;
        if (undrain !== undefined) undrain.hidden = !changeable || !isDrained;
        if (remove !== undefined) remove.hidden = !changeable || !('joined' in one);
        // A replica that somebody else runs cannot be ended from here.
        if (kill !== undefined) kill.hidden = !changeable || !('joined' in one) || one.isGiven || sinceMs === null;
      }
      const present = new Set(there.map(keyOf));
      for (const [key, { row }] of lines) {
        if (present.has(key)) continue;
        row.remove();
        lines.delete(key);
      }
      const rows = there.map((one) => lineOf(one).row);
      // Only rows that moved are put in again, since an element loses its focus by that.
      rows.forEach((row, index) => {
        if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
      });
    },
  };
}

/**
 * @param {number} seat
 * @param {string} replica
 * @param {Parameters<typeof createReplicaTable>[0]} actions
 * @returns {Line}
 */
function makeLine(seat, replica, actions) {
  /** @type {Map<string, HTMLElement>} */
  const cells = new Map();
  for (const [name = '', label = ''] of COLUMNS) {
    cells.set(name, html('td', { role: 'cell', class: name === 'state' ? 'state' : 'number', 'data-label': label }));
  }
  const drain = html('button', { type: 'button', 'aria-label': `Drain ${replica}` }, 'Drain');
  const undrain = html('button', { type: 'button', 'aria-label': `Undrain ${replica}` }, 'Undrain');
  const remove = html('button', { type: 'button', 'aria-label': `Remove ${replica}` }, 'Remove');
  const kill = html('button', { type: 'button', class: 'danger', 'aria-label': `Kill ${replica}` }, 'Kill');
  drain.addEventListener('click', () => actions.drain(replica, drain));
  undrain.addEventListener('click', () => actions.undrain(replica, undrain));
  remove.addEventListener('click', () => actions.remove(replica, remove));
  kill.addEventListener('click', () => actions.kill(replica, kill));
  // The ports of one machine differ at their ends.
  const shown = shortenMiddle(replica, MOST_LETTERS);
  const row = html(
    'tr',
    { role: 'row', class: seatClass(seat), 'data-replica': replica },
    html(
      'th',
      { role: 'rowheader', scope: 'row' },
      swatch(seat),
      html('span', { class: 'name', title: replica }, shown),
    ),
    ...cells.values(),
    html('td', { role: 'cell', class: 'actions' }, drain, undrain, remove, kill),
  );
  return { cells, row, buttons: [drain, undrain, remove, kill] };
}

/**
 * @param {Line} line
 * @param {string} name
 * @param {string} text
 */
function fill(line, name, text) {
  const cell = line.cells.get(name);
  if (cell !== undefined && cell.textContent !== text) cell.textContent = text;
}
