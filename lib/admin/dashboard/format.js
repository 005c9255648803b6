// Formats numbers, times and fractions for people.

/** @param {number} count */
export const formatCount = (count) => Math.round(count).toLocaleString('en');

/** @param {number | null | undefined} ms */
export function formatMs(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 0.1) return `${ms.toFixed(3)} ms`;
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** @param {number} part */
export const formatPart = (part) => `${(part * 100).toFixed(1)} %`;

/** Cuts the text to that many letters. @param {string} text @param {number} most */
export const shorten = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);

/** In one unit only, to fit a narrow column. @param {number} ms */
export function formatSpan(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** @param {number} atMs */
export const formatTime = (atMs) => new Date(atMs).toLocaleTimeString('en-GB');

/**
 * Cuts letters out of the middle: names that were drawn at random differ at their ends.
 * @param {string} text
 * @param {number} most
 */
export function shortenMiddle(text, most) {
  if (text.length <= most) return text;
  const tail = Math.floor((most - 1) / 2);
  return `${text.slice(0, most - 1 - tail)}…${text.slice(-tail)}`;
}

/** As on a clock: 4:05. @param {number} ms */
export function formatLeft(ms) {
  const seconds = Math.ceil(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
