// The fault matrix as `lib/README.md` has it: a row for each fault, a column for each phase.

import { FAULTS, PHASES } from '../../../bench/harness/relay.ts';
import { CELLS, type Cell, type Outcome, type Suspicion, type Wait } from './cells.ts';

const MARKED = /(<!-- fault-matrix -->)([\s\S]*?)(<!-- \/fault-matrix -->)/;

const OUTCOMES: Readonly<Record<Outcome, string>> = {
  same: 'same',
  next: 'next',
  garbled: 'garbled',
  refused: '400',
  502: '502',
  504: '504',
  cut: 'cut',
};

const WAITS: Readonly<Record<Wait, string>> = {
  nothing: '',
  fault: ' +F',
  'second-syn': ' +1 s',
  'connect-timeout': ' +C',
  'reply-timeout': ' +R',
  'body-timeout': ' +B',
};

const SUSPICIONS: Readonly<Record<Suspicion, string>> = { yes: ' !', no: '', perhaps: ' (!)' };

export function matrixTable(): string {
  return [
    `| fault | ${PHASES.join(' | ')} |`,
    `| --- |${' --- |'.repeat(PHASES.length)}`,
    ...FAULTS.map((fault) => {
      const texts = PHASES.map((phase) =>
        cellText(CELLS.filter((cell) => cell.fault === fault && cell.phase === phase)),
      );
      return `| ${[fault, ...texts].join(' | ')} |`;
    }),
  ].join('\n');
}

/** The table that stands in that text. */
export function tableIn(text: string): string | undefined {
  return MARKED.exec(text)?.[2]?.trim();
}

/** The text with the table as it should be. */
export function withTable(text: string): string {
  return text.replace(MARKED, `$1\n${matrixTable()}\n$3`);
}

function cellText(cells: readonly Cell[]): string {
  const { wait = 'nothing', suspected = 'no' } = cells[0] ?? {};
  const outcomes = new Set(cells.map(({ outcome }) => OUTCOMES[outcome]));
  return `${[...outcomes].join(' / ')}${WAITS[wait]}${SUSPICIONS[suspected]}`;
}
