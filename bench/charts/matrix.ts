// The fault matrix: what a client gets when a fault befalls the connection of its request, by the phase in which it
// begins, and how much later than the fault itself asks for.

import type { MatrixCell, MatrixSamples } from '../samples.ts';
import type { Shape, Specification } from './render.ts';
import { brief, COLOURS, subtitle, whole } from './theme.ts';

const CELL_WIDTH = 104;
const CELL_HEIGHT = 34;

/** What each outcome is to a client. */
const KINDS: Readonly<Record<string, string>> = {
  same: 'an answer',
  next: 'an answer',
  garbled: 'not to be told from an answer',
  refused: 'an error that is told',
  '502': 'an error that is told',
  '504': 'an error that is told',
  cut: 'a reply that is seen to break off',
};
const UNEXPECTED = 'something else';
const COLOUR_OF = {
  'an answer': COLOURS.fine,
  'an error that is told': COLOURS.shed,
  'a reply that is seen to break off': COLOURS.cut,
  'not to be told from an answer': COLOURS.garbled,
  [UNEXPECTED]: COLOURS.failed,
};

export function matrixFinding({ cells, besideMs, withoutMs }: MatrixSamples): string {
  const odd = cells.filter((cell) => kindOf(cell) === UNEXPECTED).length;
  const lateMs = Math.max(...cells.map((cell) => cell.lateMs));
  const all = odd === 0 ? 'Each cell came out the same each time' : `${odd} cells came out in several ways`;
  return `${all}, at most ${whole(lateMs)} ms after its fault or its limit. Requests beside the faults had a p99 of ${brief(besideMs)} ms, and of ${brief(withoutMs)} ms in turn without any.`;
}

export function matrixChart(samples: MatrixSamples, shape: Shape = 'page'): Specification {
  const { cells, rounds } = samples;
  return {
    title: {
      text: `Fault matrix: ${whole(cells.length)} faults of a connection, ${whole(rounds)} times each`,
      subtitle: subtitle(
        matrixFinding(samples),
        'Below each outcome: how much longer it took at most than the fault, or the limit that ends it.',
      ),
    },
    spacing: 24,
    resolve: { scale: { color: 'shared' } },
    columns: shape === 'slide' ? 2 : 1,
    concat: [...new Set(cells.map(({ method }) => method))].map((method) =>
      panelOf(
        method,
        cells.filter((cell) => cell.method === method),
      ),
    ),
  };
}

function kindOf({ outcomes }: Pick<MatrixCell, 'outcomes'>): string {
  return outcomes.length === 1 ? (KINDS[outcomes[0] ?? ''] ?? UNEXPECTED) : UNEXPECTED;
}

function panelOf(method: string, cells: readonly MatrixCell[]): Specification {
  const values = cells.map(({ fault, phase, outcomes, lateMs }) => ({
    ...{ fault, phase, outcome: outcomes.join(' / '), late: `+${whole(Math.max(0, lateMs))} ms` },
    kind: kindOf({ outcomes }),
  }));
  const order = (names: readonly string[]) => [...new Set(names)];
  const x = {
    ...{ field: 'phase', type: 'nominal', sort: order(values.map(({ phase }) => phase)) },
    axis: {
      title: `${method}: the phase in which the fault begins`,
      orient: 'top',
      labelAngle: 0,
      domain: false,
      ticks: false,
    },
  };
  const y = {
    ...{ field: 'fault', type: 'nominal', sort: order(values.map(({ fault }) => fault)) },
    axis: { title: 'fault', domain: false, ticks: false },
  };
  const words = (field: string, dy: number, more: object) => ({
    mark: { type: 'text', dy, ...more },
    encoding: { x, y, text: { field, type: 'nominal' } },
  });
  return {
    data: { values },
    width: { step: CELL_WIDTH },
    height: { step: CELL_HEIGHT },
    layer: [
      {
        mark: { type: 'rect', stroke: COLOURS.paper, strokeWidth: 2, opacity: 0.55 },
        encoding: {
          ...{ x, y },
          color: {
            ...{ field: 'kind', type: 'nominal', legend: { title: 'The client gets', columns: 3 } },
            scale: { domain: Object.keys(COLOUR_OF), range: Object.values(COLOUR_OF) },
          },
        },
      },
      words('outcome', -6, { fontWeight: 600, color: COLOURS.ink }),
      words('late', 8, { fontSize: 10, color: COLOURS.ink }),
    ],
  };
}
