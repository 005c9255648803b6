// The built-in load: begins and ends it, and says what it does. The balancer itself makes the requests, since a browser
// could not make a thousand a second.

import { byId, setText } from './document.js';
import { formatCount, formatLeft } from './format.js';

/** @typedef {import('./model.js').Load} Load */

/** @type {Record<string, string>} */
const KEYS = { uniform: 'uniform keys', zipf: 'Zipf keys', hot: 'one hot key' };

/** @param {{ ask: (method: string, path: string, body: unknown) => Promise<unknown> }} view */
export function createLoad({ ask }) {
  const panel = byId('load', HTMLElement);
  const keys = byId('load-keys', HTMLSelectElement);
  const buttons = [...panel.querySelectorAll('button')];
  let current = 0;
  let problem = '';

  /** @param {number} perSecond */
  const change = async (perSecond) => {
    try {
      problem = '';
      show(/** @type {Load} */ (await ask('POST', '/balancer/load', { perSecond, keys: keys.value })));
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      setText('load-status', problem);
    }
  };
  for (const button of buttons) button.addEventListener('click', () => void change(Number(button.value)));
  keys.addEventListener('change', () => {
    if (current > 0) void change(current);
  });

  /** @param {Load} load */
  const show = (load) => {
    current = load.perSecond;
    for (const button of buttons) button.setAttribute('aria-pressed', String(Number(button.value) === current));
    const refused = load.whyNoKeys !== null;
    for (const option of keys.options) option.disabled = refused && option.value !== 'uniform';
    if (refused) keys.value = 'uniform';
    // Somebody else may have begun it. Who is choosing at the moment is left alone.
    else if (current > 0 && document.activeElement !== keys) keys.value = load.keys;
    if (problem === '') setText('load-status', wordsOf(load));
  };

  return {
    show,
    /** @param {boolean} changeable */
    allow(changeable) {
      panel.hidden = !changeable;
    },
  };
}

/** @param {Load} load */
function wordsOf({ perSecond, keys, path, leftMs, sent, failed, left, whyNoKeys }) {
  const kept = left > 0 ? `, ${formatCount(left)} not sent` : '';
  const counts = `${formatCount(sent)} sent, ${formatCount(failed)} failed${kept}`;
  if (perSecond > 0) return `GET ${path}, ${KEYS[keys]}, ends in ${formatLeft(leftMs)}: ${counts}.`;
  if (sent > 0) return `Ended: ${counts}.`;
  return whyNoKeys === null
    ? 'The balancer sends requests to itself, as a client would.'
    : `Keys come alike: ${whyNoKeys}.`;
}
