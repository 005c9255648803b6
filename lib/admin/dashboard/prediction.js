// What a change of the fleet would mean for the keys of the last hour, by /balancer/what-if, and once the change is
// made, what was measured beside what was predicted. Says nothing while requests go by their ids: then the ring says it
// all.

import { byId, setText } from './document.js';
import { formatPart, formatSpan } from './format.js';

/**
 * @typedef {{ value: number, error: number }} Estimate
 * @typedef {{ source: string | null, keyed: number, spanMs: number,
 *   situations: { maxOverMean: number | null, seats: { seat: number, share: Estimate }[] }[],
 *   moved: { keys: Estimate | null, requests: Estimate | null },
 *   measured?: { seen: number, keys: Estimate | null } }} Answer
 * @typedef {{ text: string, keys: Estimate, maxOverMean: number | null }} Prediction
 * @typedef {{ question: string, from: 'asked' | 'done', loses?: number }} Expected
 *   `question` is the body for /balancer/what-if. `from` is when the ring changes: when the change is asked for, or when
 *   it is done. `loses` is the seat whose replica goes, with what it has cached
 */

const AGAIN_MS = 3000;
const MINUTE_MS = 60_000;
// Another page may have asked.
const MOST_TRIES = 8;
const BUSY_MS = 500;

/**
 * @typedef {{ seats: () => { seat: number, replica: string }[], maxOverMean: () => number | undefined,
 *   ask: (method: string, path: string, body: unknown) => Promise<unknown> }} View
 *   `maxOverMean` is what was measured since the ring changed
 */

/** @param {View} view @param {string} question @returns {Promise<Answer | undefined>} */
async function askWhatIf(view, question) {
  for (let tries = 1; ; tries++) {
    try {
      return /** @type {Answer} */ (await view.ask('POST', '/balancer/what-if', JSON.parse(question)));
    } catch (error) {
      const isBusy = error instanceof Error && error.cause === 503;
      // The page says elsewhere that the balancer does not answer, or what it takes to be allowed to ask.
      if (!isBusy || tries === MOST_TRIES) return undefined;
      await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
    }
  }
}

/**
 * What is said of a change before it is made, and after.
 * @param {View} view
 */
export function createForesight(view) {
  const follow = createOutcome(view);
  /** @type {{ expected?: Expected | undefined, prediction?: Prediction | undefined }} */
  let last = {};
  return {
    /** @returns {Expected} */
    ofAdd: () => ({ question: `{"then": ${view.seats().length + 1}}`, from: 'done' }),
    /** @param {string} hostname @returns {Expected} */
    ofRemove: (hostname) => {
      const rest = view.seats().filter(({ replica }) => replica !== hostname);
      return { question: `{"then": "${rest.map(({ seat }) => seat).join(',')}"}`, from: 'asked' };
    },
    /** @param {string} hostname @returns {Expected} */
    ofKill: (hostname) => {
      const loses = view.seats().find(({ replica }) => replica === hostname)?.seat ?? 0;
      return { question: '{}', from: 'asked', loses };
    },
    /**
     * Adds to a proposal, which does not wait for it, what is predicted.
     * @param {Expected | undefined} expected
     * @param {() => boolean} isShown the proposal still is
     */
    show: async (expected, isShown) => {
      const prediction = expected === undefined ? undefined : await predict(view, expected);
      if (prediction === undefined || !isShown()) return;
      last = { expected, prediction };
      setText('change-predicted', prediction.text);
    },
    /** The change is asked for. Returns what is to be called when it is made. @param {Expected | undefined} expected */
    onMade: (expected) => {
      const askedMs = performance.now();
      const prediction = last.expected === expected ? last.prediction : undefined;
      return () => {
        const changedMs = expected?.from === 'asked' ? askedMs : performance.now();
        // After a kill the keys have their seat as before. That its replica is another one is no move.
        if (prediction !== undefined && expected?.loses === undefined) void follow(prediction, changedMs);
      };
    },
  };
}

/**
 * @param {View} view @param {Expected} expected
 * @returns {Promise<Prediction | undefined>} nothing if there is nothing to go by
 */
async function predict(view, { question, loses }) {
  const told = await askWhatIf(view, question);
  const [now, after] = told?.situations ?? [];
  const keys = told?.moved.keys ?? null;
  if (told === undefined || keys === null || now === undefined || after === undefined) return undefined;
  const span = formatSpan(told.spanMs);
  const requests = told.moved.requests ?? keys;
  const { maxOverMean } = after;
  // If few keys are in the sample, chance decides how even they are.
  const spread =
    maxOverMean === null || now.maxOverMean === null
      ? ''
      : `; max / mean ${maxOverMean.toFixed(2)}, now ${now.maxOverMean.toFixed(2)}`;
  const seat = now.seats.find((one) => one.seat === loses);
  const text =
    seat !== undefined && keys.value === 0
      ? `By the traffic of the last ${span}: ${formatEstimate(seat.share)} of the requests are for its keys, whose next replica begins with nothing cached.`
      : `By the traffic of the last ${span}: ${formatEstimate(keys)} of the keys would get another replica, with ${formatEstimate(requests)} of the requests${spread}.`;
  return { text, keys, maxOverMean };
}

/** @param {Estimate} estimate */
const formatEstimate = ({ value, error }) =>
  error < 0.0005 ? formatPart(value) : `${formatPart(value)} ± ${(100 * error).toFixed(1)}`;

/**
 * The words that stay for a minute after a change.
 * @param {View} view
 */
function createOutcome(view) {
  const panel = byId('outcome', HTMLElement);
  let shown = 0;
  byId('outcome-close', HTMLButtonElement).addEventListener('click', () => {
    shown += 1;
    panel.hidden = true;
  });

  /**
   * @param {Prediction} prediction
   * @param {number} changedMs when the ring changed, by `performance.now()`
   */
  const follow = async (prediction, changedMs) => {
    shown += 1;
    const mine = shown;
    panel.hidden = false;
    const even = prediction.maxOverMean === null ? '' : `, max / mean ${prediction.maxOverMean.toFixed(2)}`;
    const predicted = `Predicted: ${formatEstimate(prediction.keys)} of the keys at another replica${even}.`;
    setText('outcome-text', `${predicted} Measured: no key has come again yet.`);
    while (mine === shown) {
      const agoMs = Math.round(performance.now() - changedMs);
      const told = await askWhatIf(view, JSON.stringify({ changedMsAgo: agoMs }));
      if (mine !== shown) return;
      const keys = told?.measured?.keys ?? null;
      if (keys !== null && told?.measured !== undefined) {
        const ratio = view.maxOverMean();
        const spread = ratio === undefined || even === '' ? '' : `, max / mean ${ratio.toFixed(2)}`;
        setText(
          'outcome-text',
          `${predicted} Measured in ${formatSpan(agoMs)}, of ${told.measured.seen} keys that came again: ${formatEstimate(keys)}${spread}.`,
        );
      }
      if (agoMs > MINUTE_MS) return;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  };
  return follow;
}
