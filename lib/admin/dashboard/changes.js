// Adding, draining, removing and killing replicas. First shows what the change would move, on the ring and in words, and then
// makes it. If the ring changes meanwhile, the preview is computed again.

import { byId, html, setText } from './document.js';
import { formatPart } from './format.js';
import { createForesight } from './prediction.js';

/**
 * @typedef {{ from: string, to: string, fraction: number }} Move
 * @typedef {{ replicas: string[], moved: number, moves: Move[], maxOverMean: number,
 *   points: { slot: number, seat: number }[] }} Preview
 * @typedef {{ text: string, done: string, busy: string, make: () => Promise<unknown>,
 *   of?: string, ends?: boolean, preview?: Preview, again?: () => Promise<Proposal>,
 *   expected?: import('./prediction.js').Expected }} Proposal
 *   `of` is the replica that the proposal is about, which has to exist; with `ends` it is ended without warning
 * @typedef {{ preview: (points: { slot: number, seat: number }[]) => void, clear: () => void, hostnames: () =>
 * string[], seats: () => { seat: number, replica: string }[], maxOverMean: () => number | undefined,
 *   ask: (method: string, path: string, body: unknown) => Promise<unknown> }} View
 */

const MOST_MOVES = 6;

/** @param {View} view */
export function createChanges(view) {
  const { ask } = view;
  const foresight = createForesight(view);
  const { attempt, fleetChanged } = createPanel(view, foresight);

  /** @param {string} hostname @returns {Promise<Proposal>} */
  const proposeAdd = async (hostname) => {
    if (view.hostnames().some((other) => other.toLowerCase() === hostname.toLowerCase()))
      throw new Error(`${hostname} is there already.`);
    const body = { n: 1, hostnames: hostname === '' ? [] : [hostname] };
    const preview = /** @type {Preview} */ (await ask('POST', '/add?dry-run', body));
    const name = hostname || 'A new replica';
    return {
      text: `${name} would take ${formatPart(preview.moved)} of the slots, marked around the ring; max / mean ${preview.maxOverMean.toFixed(2)} then.`,
      preview,
      done: 'Add it',
      busy: `${name} is starting …`,
      make: () => ask('POST', '/add', body),
      again: () => proposeAdd(hostname),
      expected: foresight.ofAdd(),
    };
  };

  /** @param {string} hostname @returns {Promise<Proposal>} */
  const proposeRemove = async (hostname) => {
    const body = { n: 1, hostnames: [hostname] };
    const preview = /** @type {Preview} */ (await ask('DELETE', '/rm?dry-run&only-named', body));
    return {
      of: hostname,
      text: `${hostname} would finish its requests and go; ${formatPart(preview.moved)} of the slots would move, as marked around the ring.`,
      preview,
      done: 'Remove it',
      busy: `${hostname} finishes its requests …`,
      make: () => ask('DELETE', '/rm?only-named', body),
      again: () => proposeRemove(hostname),
      expected: foresight.ofRemove(hostname),
    };
  };

  /** @param {string} hostname @returns {Promise<Proposal>} */
  const proposeKill = async (hostname) => ({
    of: hostname,
    ends: true,
    text: `${hostname} would end at once, as in a crash. No slot moves: another replica takes its seat.`,
    done: 'Kill it',
    busy: `${hostname} is being killed …`,
    make: () => ask('POST', '/balancer/kill', { hostname }),
    expected: foresight.ofKill(hostname),
  });

  /** @param {string} hostname @returns {Promise<Proposal>} */
  const proposeDrain = async (hostname) => ({
    of: hostname,
    text: `${hostname} would take no new requests and finish those that it has; its keys go to the next seat until it is undrained. No slot moves.`,
    done: 'Drain it',
    busy: `${hostname} is being drained …`,
    make: () => ask('POST', '/balancer/drain', { hostname }),
  });

  return {
    /** @param {string} hostname @param {HTMLElement} opener */
    drain: (hostname, opener) => attempt(opener, () => proposeDrain(hostname)),
    /** @param {string} hostname @param {HTMLElement} opener */
    undrain: (hostname, opener) => attempt(opener, () => proposeUndrain(ask, hostname)),
    /** @param {string} hostname '' for a random one @param {HTMLElement} opener */
    add: (hostname, opener) => attempt(opener, () => proposeAdd(hostname)),
    /** @param {string} hostname @param {HTMLElement} opener */
    remove: (hostname, opener) => attempt(opener, () => proposeRemove(hostname)),
    /** @param {string} hostname @param {HTMLElement} opener */
    kill: (hostname, opener) => attempt(opener, () => proposeKill(hostname)),
    fleetChanged,
  };
}

/** @param {View['ask']} ask @param {string} hostname @returns {Promise<Proposal>} */
const proposeUndrain = async (ask, hostname) => ({
  of: hostname,
  text: `${hostname} would take requests again: those of its own keys.`,
  done: 'Undrain it',
  busy: `${hostname} takes requests again …`,
  make: () => ask('POST', '/balancer/undrain', { hostname }),
});

/**
 * The panel that shows a change before it is made, and its result.
 * @param {View} view
 * @param {ReturnType<typeof createForesight>} foresight
 */
function createPanel(view, foresight) {
  const { confirm, cancel, say, show, hide } = createWords(view);
  /**
   * @type {{ proposal?: Proposal, stale?: boolean }} what is shown: another object each time, so that what ends late
   * knows
   */
  let shown = {};
  let attempts = 0;
  /** @type {HTMLElement | undefined} */
  let opener;

  const tell = (/** @type {string} */ text, failed = false) => {
    shown = {};
    say(text, failed);
  };
  const fail = (/** @type {unknown} */ error) => {
    view.clear();
    tell(error instanceof Error ? error.message : String(error), true);
    cancel.focus();
  };
  const propose = (/** @type {Proposal} */ proposal) => {
    const mine = { proposal };
    shown = mine;
    show(proposal);
    void foresight.show(proposal.expected, () => shown === mine);
  };
  const close = () => {
    shown = {};
    hide();
    if (opener?.isConnected) opener.focus();
  };
  confirm.addEventListener('click', async () => {
    const { proposal, stale } = shown;
    if (proposal === undefined || stale) return;
    tell(proposal.busy);
    const mine = shown;
    const onMade = foresight.onMade(proposal.expected);
    try {
      await proposal.make();
      onMade();
      // If something else was proposed meanwhile, the panel stays open for that.
      if (shown === mine) close();
    } catch (error) {
      fail(error);
    }
  });
  cancel.addEventListener('click', close);
  byId('change', HTMLElement).addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    close();
  });

  /**
   * Shows what `work` proposes, or why it cannot be done. `button` gets the focus back.
   * @param {HTMLElement} button
   * @param {() => Promise<Proposal>} work
   */
  const attempt = async (button, work) => {
    opener = button;
    attempts += 1;
    const mine = attempts;
    try {
      const proposal = await work();
      if (mine !== attempts) return;
      propose(proposal);
      confirm.focus();
    } catch (error) {
      if (mine === attempts) fail(error);
    }
  };

  /** @param {boolean} ringChanged */
  const fleetChanged = async (ringChanged) => {
    const { proposal } = shown;
    if (proposal?.of !== undefined && !view.hostnames().includes(proposal.of)) {
      view.clear();
      tell(`${proposal.of} has gone meanwhile: nothing was done.`);
    } else if (ringChanged && proposal?.again !== undefined) {
      shown = { proposal, stale: true };
      const mine = shown;
      try {
        const now = await proposal.again();
        if (shown !== mine) return;
        const focused = document.activeElement;
        propose(comparedTo(proposal, now));
        if (focused === confirm) confirm.focus();
      } catch (error) {
        if (shown === mine) fail(error);
      }
    }
  };
  return { attempt, fleetChanged };
}

/**
 * @param {Proposal} before
 * @param {Proposal} now
 * @returns {Proposal} whose text says whether it has changed
 */
function comparedTo(before, now) {
  const same = JSON.stringify(now.preview) === JSON.stringify(before.preview);
  return { ...now, text: same ? before.text : `The ring has changed meanwhile. Now: ${now.text}` };
}

/**
 * The text and the buttons of the panel, and what is drawn on the ring with them.
 * @param {View} view
 */
function createWords(view) {
  const panel = byId('change', HTMLElement);
  const confirm = byId('change-confirm', HTMLButtonElement);
  const cancel = byId('change-cancel', HTMLButtonElement);
  const moves = byId('change-moves', HTMLUListElement);
  const say = (/** @type {string} */ text, failed = false) => {
    panel.hidden = false;
    panel.classList.toggle('failed', failed);
    setText('change-text', text);
    setText('change-predicted', '');
    moves.replaceChildren();
    cancel.textContent = 'Close';
    // A hidden button loses the focus, and a keyboard user would be sent back to the top of the page.
    if (document.activeElement === confirm) cancel.focus();
    confirm.hidden = true;
  };
  const show = (/** @type {Proposal} */ { text, preview, done, ends = false }) => {
    say(text);
    const all = preview?.moves ?? [];
    moves.replaceChildren(...all.slice(0, MOST_MOVES).map(describeMove));
    const rest = all.length - MOST_MOVES;
    if (rest > 0) moves.append(html('li', {}, `and ${rest} more`));
    confirm.hidden = false;
    confirm.textContent = done;
    confirm.className = ends ? 'ends' : 'primary';
    cancel.textContent = 'Cancel';
    view.clear();
    if (preview !== undefined) view.preview(preview.points);
  };
  const hide = () => {
    panel.hidden = true;
    view.clear();
  };
  return { confirm, cancel, say, show, hide };
}

/** @param {Move} move */
function describeMove({ from, to, fraction }) {
  return html('li', {}, `${formatPart(fraction)} from ${from} to ${to}`);
}
