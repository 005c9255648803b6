// Adding, removing and killing: first what it would move, drawn on the ring and in words, then the change itself. Where the balancer
// wants its admin token, it is asked for once and kept by this page alone, until it is left.

import { byId, html, setText } from './document.js';
import { formatPart } from './format.js';

/**
 * @typedef {{ from: string, to: string, fraction: number }} Move
 * @typedef {{ replicas: string[], moved: number, moves: Move[], maxOverMean: number,
 *   points: { slot: number, seat: number }[] }} Preview
 * @typedef {{ text: string, moves: Move[], done: string, busy: string, make: () => Promise<unknown> }} Proposal
 */

const MOST_MOVES = 6;

/**
 * @param {{ preview: (points: { slot: number, seat: number }[]) => void, clear: () => void }} ring
 */
export function createChanges(ring) {
  const { propose, attempt } = createPanel(ring.clear);
  const ask = createAsker();

  return {
    /**
     * @param {string} hostname '' for a random one
     * @param {HTMLElement} button
     */
    add: (hostname, button) =>
      attempt(button, async () => {
        const body = { n: 1, hostnames: hostname === '' ? [] : [hostname] };
        const preview = /** @type {Preview} */ (await ask('POST', '/add?dry-run', body));
        ring.preview(preview.points);
        const name = hostname === '' ? 'A new replica' : hostname;
        propose({
          text: `${name} would take ${formatPart(preview.moved)} of the slots, marked around the ring; max / mean ${preview.maxOverMean.toFixed(2)} then.`,
          moves: preview.moves,
          done: 'Add it',
          busy: `${name} is starting …`,
          make: () => ask('POST', '/add', body),
        });
      }),

    /**
     * @param {string} hostname
     * @param {HTMLElement} button
     */
    remove: (hostname, button) =>
      attempt(button, async () => {
        const body = { n: 1, hostnames: [hostname] };
        const preview = /** @type {Preview} */ (await ask('DELETE', '/rm?dry-run', body));
        ring.preview(preview.points);
        propose({
          text: `${hostname} would finish its requests and go; ${formatPart(preview.moved)} of the slots would move, as marked around the ring.`,
          moves: preview.moves,
          done: 'Remove it',
          busy: `${hostname} finishes its requests …`,
          make: () => ask('DELETE', '/rm', body),
        });
      }),

    /**
     * @param {string} hostname
     * @param {HTMLElement} button
     */
    kill: (hostname, button) =>
      attempt(button, async () => {
        propose({
          text: `${hostname} would end at once, as in a crash. No slot moves: another replica takes its seat.`,
          moves: [],
          done: 'Kill it',
          busy: `${hostname} is being killed …`,
          make: () => ask('POST', '/balancer/kill', { hostname }),
        });
      }),
  };
}

/**
 * Where a change is shown before it is made, and what came of it.
 * @param {() => void} clear takes what is drawn of it away
 */
function createPanel(clear) {
  const panel = byId('change', HTMLElement);
  const confirm = byId('change-confirm', HTMLButtonElement);
  const cancel = byId('change-cancel', HTMLButtonElement);
  const moves = byId('change-moves', HTMLUListElement);
  /** @type {Proposal | undefined} */
  let proposed;
  /** @type {HTMLElement | undefined} */
  let opener;

  const say = (/** @type {string} */ text, failed = false) => {
    panel.hidden = false;
    panel.classList.toggle('failed', failed);
    setText('change-text', text);
    moves.replaceChildren();
    confirm.hidden = true;
    cancel.textContent = 'Close';
  };
  const close = () => {
    proposed = undefined;
    panel.hidden = true;
    clear();
    if (opener?.isConnected) opener.focus();
  };
  const propose = (/** @type {Proposal} */ proposal) => {
    say(proposal.text);
    proposed = proposal;
    moves.replaceChildren(...proposal.moves.slice(0, MOST_MOVES).map(describeMove));
    const rest = proposal.moves.length - MOST_MOVES;
    if (rest > 0) moves.append(html('li', {}, `and ${rest} more`));
    confirm.hidden = false;
    confirm.textContent = proposal.done;
    cancel.textContent = 'Cancel';
    confirm.focus();
  };
  /**
   * Says what went wrong, if something does. `button` gets the focus back.
   * @param {HTMLElement | undefined} button
   * @param {() => Promise<void>} work
   */
  const attempt = async (button, work) => {
    opener = button;
    try {
      await work();
    } catch (error) {
      clear();
      say(error instanceof Error ? error.message : String(error), true);
      cancel.focus();
    }
  };
  const make = async () => {
    const proposal = proposed;
    if (proposal === undefined) return;
    proposed = undefined;
    say(proposal.busy);
    await proposal.make();
    close();
  };
  confirm.addEventListener('click', () => attempt(opener, make));
  cancel.addEventListener('click', close);
  return { propose, attempt };
}

/** @param {Move} move */
function describeMove({ from, to, fraction }) {
  return html('li', {}, `${formatPart(fraction)} from ${from} to ${to}`);
}

function createAsker() {
  const form = byId('token-form', HTMLFormElement);
  const field = byId('token', HTMLInputElement);
  let token = '';

  /** @returns {Promise<boolean>} whether one was given */
  const askForToken = () => {
    form.hidden = false;
    field.value = '';
    field.focus();
    return new Promise((resolve) => {
      const finish = (/** @type {boolean} */ given) => {
        token = given ? field.value : '';
        form.hidden = true;
        form.onsubmit = null;
        resolve(given);
      };
      form.onsubmit = (event) => {
        event.preventDefault();
        finish(true);
      };
      byId('token-cancel', HTMLButtonElement).onclick = () => finish(false);
    });
  };

  /**
   * The message of the answer. Throws what the balancer says against it.
   * @param {string} method
   * @param {string} path
   * @param {unknown} body
   * @returns {Promise<unknown>}
   */
  return async function ask(method, path, body) {
    const headers = {
      'Content-Type': 'application/json',
      ...(token === '' ? {} : { Authorization: `Bearer ${token}` }),
    };
    const response = await fetch(path, { method, headers, body: JSON.stringify(body) });
    if (response.status === 401 && (await askForToken())) return ask(method, path, body);
    const { message } = await response.json();
    if (response.ok) return message;
    throw new Error(String(message).replace(/^<Error> /, ''));
  };
}
