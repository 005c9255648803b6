// The list of what happened to the fleet, the latest first.

import { byId, html } from './document.js';
import { formatTime } from './format.js';
import { seatClass } from './model.js';

/** @typedef {import('./model.js').LogEntry} LogEntry */

const MOST = 200;

/** @type {Record<string, (entry: LogEntry) => string>} */
const WORDS = {
  starting: ({ seat }) => `comes up for seat ${seat}`,
  joined: ({ seat }) => `takes seat ${seat}`,
  suspected: () => 'failed a request or a heartbeat',
  cleared: () => 'answers again',
  erring: () => 'answers with 5xx again and again, though its heartbeats are good',
  down: ({ reason }) => `does not serve: ${reason}`,
  died: ({ reason }) => `${reason}`,
  replaced: ({ instead }) => `serves in the place of ${instead}`,
  resting: () => 'is drained: it takes no new requests',
  back: () => 'takes requests again',
  draining: () => 'finishes its requests',
  drained: () => 'has finished and is gone',
};

export function createEventLog() {
  const list = byId('log', HTMLOListElement);
  let last = 0;
  return {
    /** Replaces all entries, after the connection was lost. @param {readonly LogEntry[]} entries */
    replace(entries) {
      last = 0;
      list.replaceChildren();
      this.add(entries);
    },

    /** @param {readonly LogEntry[]} entries come the oldest first */
    add(entries) {
      for (const entry of entries) {
        if (entry.number <= last) continue;
        last = entry.number;
        list.prepend(lineOf(entry));
      }
      while (list.children.length > MOST) list.lastElementChild?.remove();
    },
  };
}

/** @param {LogEntry} entry */
function lineOf(entry) {
  const time = html('time', { datetime: new Date(entry.atMs).toISOString() }, formatTime(entry.atMs));
  const what = html('span', { class: 'what' }, entry.what);
  const text = html('span', {}, html('b', {}, entry.replica), ` ${WORDS[entry.what]?.(entry) ?? entry.what}`);
  return html('li', { class: seatClass(entry.seat), 'data-what': entry.what }, time, what, text);
}
