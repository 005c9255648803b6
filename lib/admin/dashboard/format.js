// Numbers, times and parts as people read them.

/** @param {number} count */
export const formatCount = (count) => Math.round(count).toLocaleString('en');

/** @param {number | null | undefined} ms */
export function formatMs(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  if (ms < 10_000) return `${Math.round(ms)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** @param {number} part */
export const formatPart = (part) => `${(part * 100).toFixed(1)} %`;

/** @param {number} ms */
export function formatSpan(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} m` : `${Math.floor(hours / 24)} d`;
}

/** @param {number} atMs */
export const formatTime = (atMs) => new Date(atMs).toLocaleTimeString('en-GB');
