// The chart of the fault matrix: what it says of cells that are known.

import t from 'tap';
import { matrixChart } from '../../bench/charts/matrix.ts';
import { renderSvg } from '../../bench/charts/render.ts';
import { figuresOf } from '../../bench/figures.ts';
import type { MatrixSamples } from '../../bench/samples.ts';
import { environment } from './samples.ts';

const SAMPLES: MatrixSamples = {
  environment,
  rounds: 5,
  cells: [
    { fault: 'reset', phase: 'wait', method: 'GET', outcomes: ['next'], lateMs: 3 },
    { fault: 'reset', phase: 'wait', method: 'POST', outcomes: ['502'], lateMs: -1 },
    { fault: 'reset', phase: 'reply body', method: 'GET', outcomes: ['cut', 'no reply: socket hang up'], lateMs: 9000 },
  ],
  besideMs: 3.5,
  withoutMs: 2.5,
};

t.test('each cell has its outcome and how late it was, and what should not be stands out', async (t) => {
  const svg = await renderSvg(matrixChart(SAMPLES), { title: 'Fault matrix', finding: '', notes: [] });
  for (const text of [
    'GET: the phase',
    'POST: the phase',
    'next',
    '+3 ms',
    '+0 ms',
    '+9,000 ms',
    '3.50 ms',
    '2.50 ms',
  ]) {
    t.ok(svg.includes(text), text);
  }
  t.ok(svg.includes('cut / no reply: socket hang up'));
  const panels = JSON.stringify(matrixChart(SAMPLES));
  t.equal(panels.split('"kind":"something else"').length - 1, 1);
});

t.test('it is in the report once it was played', (t) => {
  t.same(
    figuresOf({ matrix: SAMPLES }).map(({ name }) => name),
    ['matrix'],
  );
  t.end();
});
