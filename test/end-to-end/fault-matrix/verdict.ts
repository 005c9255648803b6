// Judges what was seen of a cell.

import type { Played } from './stage.ts';

/** What was wrong with a cell; empty if nothing. @param graceMs what it may take beyond the least that it must. */
export function faultsOf({ cell, outcome, tookMs, leastMs, suspected, executed }: Played, graceMs: number): string[] {
  const tookText = `took ${Math.round(tookMs)} ms, and ${Math.round(leastMs)} ms is the least`;
  const isSuspicious = cell.suspected === 'yes';
  return [
    outcome === cell.outcome ? '' : `${outcome} instead of ${cell.outcome}`,
    tookMs >= leastMs ? '' : `too early: ${tookText}`,
    tookMs <= leastMs + graceMs ? '' : `too late: ${tookText}`,
    cell.suspected === 'perhaps' || suspected === isSuspicious ? '' : `${suspected ? '' : 'not '}suspected`,
    cell.method === 'POST' && executed > 1 ? `executed ${executed} times` : '',
  ].filter((fault) => fault !== '');
}
