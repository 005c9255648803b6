// The panel of keys: how many requests with a key are where they belong, and which keys come most often. It asks for
// that by itself, and is shown only while `--key` names a source. The last minute is the difference of two answers.

import { byId, html, setText } from './document.js';
import { formatCount, formatPart } from './format.js';
import { seatClass } from './model.js';

/**
 * @typedef {{ class: string, owner: number, other: number }} Counts
 * @typedef {{ key: number, slot: number | null, owner: string | null, home: string | null, seat: number | null,
 *   requests: number, error: number, part: number }} HotKey
 * @typedef {{ source: string | null, requests: number, classes: Counts[], keys: HotKey[] }} Answer
 */

const ASK_AGAIN_MS = 2000;
const MINUTE_MS = 60_000;
const MOST_SHOWN = 8;

/** @type {{ atMs: number, classes: Counts[] }[]} */
let looks = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let next;

document.addEventListener('visibilitychange', look);
look();

function look() {
  clearTimeout(next);
  if (document.visibilityState !== 'visible') return;
  void ask().finally(() => {
    next = setTimeout(look, ASK_AGAIN_MS);
  });
}

async function ask() {
  try {
    const response = await fetch('/balancer/keys');
    if (response.ok) show(await response.json());
  } catch {
    // The page says elsewhere that the balancer does not answer.
  }
}

/** @param {Answer} answer */
function show({ source, classes, keys }) {
  byId('keys-card', HTMLElement).hidden = source === null;
  if (source === null) return;
  setText('keys-source', source);
  const nowMs = performance.now();
  // After a restart counts begin anew.
  const isAnew = total(classes) < total(looks.at(-1)?.classes ?? []);
  looks = [...(isAnew ? [] : looks.filter(({ atMs }) => nowMs - atMs < MINUTE_MS)), { atMs: nowMs, classes }];
  // What came before the first look counts until there is a request since then.
  const since = total(classes) === total(looks[0]?.classes ?? []) ? [] : (looks[0]?.classes ?? []);
  byId('keys-classes', HTMLElement).replaceChildren(...classes.flatMap((one) => classRow(one, since)));
  byId('keys-hot', HTMLElement).replaceChildren(...keys.slice(0, MOST_SHOWN).map(keyRow));
  byId('keys-none', HTMLElement).hidden = keys.length > 0;
}

/** @param {Counts[]} classes */
function total(classes) {
  return classes.reduce((sum, { owner, other }) => sum + owner + other, 0);
}

/**
 * @param {Counts} now
 * @param {Counts[]} before
 */
function classRow(now, before) {
  const then = before.find((one) => one.class === now.class);
  const owner = now.owner - (then?.owner ?? 0);
  const other = now.other - (then?.other ?? 0);
  const all = owner + other;
  if (all === 0) return [];
  return [
    html(
      'li',
      {},
      html('span', { class: 'name' }, now.class),
      html(
        'span',
        { class: 'figures' },
        `${formatPart(owner / all)} at the owner · ${formatPart(other / all)} spilled`,
      ),
      html('span', { class: 'count' }, `${formatCount(all)} ${all === 1 ? 'request' : 'requests'}`),
    ),
  ];
}

/** @param {HotKey} hot */
function keyRow({ key, slot, owner, home, seat, part, requests, error }) {
  const bar = html('span', { class: 'bar' });
  bar.style.width = `${100 * Math.min(1, part)}%`;
  const whose = home ?? owner ?? '–';
  const about = error > 0 ? `${formatCount(requests - error)} to ${formatCount(requests)}` : formatCount(requests);
  return html(
    'li',
    seat === null ? {} : { class: seatClass(seat) },
    html('span', { class: 'name' }, home === null ? whose : `${whose} (set its cookie)`),
    html('span', { class: 'key' }, `key ${key}${slot === null ? '' : `, slot ${slot}`}`),
    html('span', { class: 'track', 'aria-hidden': 'true' }, bar),
    html('span', { class: 'figures' }, `${formatPart(part)} · ${about}`),
  );
}
