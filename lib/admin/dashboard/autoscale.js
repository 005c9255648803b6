// Autoscaling: how many replicas there are and how many the load wants, between their bounds; the requests in flight
// that it goes by, and the last steps with what led to them. The card is there only while it is on.

import { byId, html, setText } from './document.js';
import { formatPart, formatSpan } from './format.js';

/** @typedef {import('./model.js').Autoscale} Autoscale */

const STEPS_SHOWN = 6;

/** @type {Record<string, string>} */
const WHY = {
  steady: 'as many as the load wants',
  load: 'more are wanted',
  panic: 'twice the target or more within moments',
  'from-zero': 'a request waits for the first one',
  idle: 'fewer were enough for long enough',
  settling: 'fewer are enough now, and go slowly',
  most: 'as many as there may be, and more are needed',
  frozen: 'waits',
  paused: 'paused: all replicas were removed by hand',
};

export function createAutoscaleView() {
  const card = byId('autoscale-card', HTMLElement);
  const list = byId('autoscale-steps', HTMLOListElement);
  return {
    /**
     * @param {Autoscale | undefined} autoscale
     * @param {number} nowMs the balancer's time of day
     */
    show(autoscale, nowMs) {
      card.hidden = autoscale === undefined;
      if (autoscale === undefined) return;
      const { rules, now, steps } = autoscale;
      setText('autoscale-bounds', `${rules.least} to ${rules.most} replicas · target ${rules.target} in flight each`);
      setText('autoscale-now', now === null ? 'not measured yet' : stateText(now));
      setText('autoscale-load', now === null ? '' : loadText(now));
      const shown = steps.slice(-STEPS_SHOWN).reverse();
      list.replaceChildren(...shown.map((step) => html('li', {}, stepText(step, nowMs))));
    },
  };
}

/** @param {NonNullable<Autoscale['now']>} now */
function stateText({ replicas, wanted, wantedLately, reason, frozenBy }) {
  const lately = wantedLately > wanted ? `, ${wantedLately} lately` : '';
  const why = frozenBy === undefined ? (WHY[reason] ?? reason) : `${WHY[reason] ?? reason}: ${frozenBy}`;
  return `${replicas} there, ${wanted} wanted${lately} · ${why}`;
}

/** @param {NonNullable<Autoscale['now']>} now */
function loadText({ stable, panic, isPanic }) {
  return `in flight and waiting: ${stable.toFixed(1)} on average, ${panic.toFixed(1)} of late${isPanic ? ' · panic' : ''}`;
}

/**
 * @param {Autoscale['steps'][number]} step
 * @param {number} nowMs
 */
function stepText({ atMs, replicas, step, reason, stable, panic, moved, tookMs, failure }, nowMs) {
  const end = failure === null ? (tookMs === null ? 'under way' : `in ${formatSpan(tookMs)}`) : `failed: ${failure}`;
  const load = `${stable.toFixed(1)} in flight, ${panic.toFixed(1)} of late`;
  return `${formatSpan(Math.max(0, nowMs - atMs))} ago: ${replicas} → ${replicas + step}, ${WHY[reason] ?? reason} (${load}; ${formatPart(moved)} of the keys moved), ${end}`;
}
