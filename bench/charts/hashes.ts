// A-4, the hash pairs side by side: what each replica got compared to its part of the ring, the same over the number of
// replicas, and the rings themselves.

import type { SpreadRun } from '../samples.ts';
import { evenness, slotMaxOverMean } from '../summaries.ts';
import type { Specification } from './render.ts';
import { loadPanel, ratioPanel } from './scale.ts';
import { COLOURS, hashName, label, REPLICA_COLOURS, subtitle, times, whole } from './theme.ts';

const WIDTH = 710;
const GAP = 34;

/** Which pairs are the most and the least even, in a sentence. @param runs one for each hash. */
export function hashSpreadFinding(runs: readonly SpreadRun[]): string {
  const sorted = runs.toSorted((a, b) => evenness(a).maxOverMean - evenness(b).maxOverMean);
  const [best, worst] = [sorted[0] as SpreadRun, sorted.at(-1) as SpreadRun];
  const said = (run: SpreadRun) =>
    `${hashName(run.hash)}, the busiest got ${times(evenness(run).maxOverMean)} the mean`;
  return best === worst ? `${said(best)}.` : `Most even: ${said(best)}; least: ${said(worst)}.`;
}

/** Which pair is worst as replicas are added, in a sentence. */
export function hashScaleFinding(runsByHash: readonly (readonly SpreadRun[])[]): string {
  const [worst] = runsByHash.flat().toSorted((a, b) => evenness(b).maxOverMean - evenness(a).maxOverMean);
  if (worst === undefined) return '';
  return `Worst: ${hashName(worst.hash)} with ${worst.replicas} replicas, the busiest gets ${times(evenness(worst).maxOverMean)} the mean.`;
}

/** How large the largest parts of the rings are, in a sentence. */
export function ringsFinding(runs: readonly SpreadRun[]): string {
  const parts = runs.map((run) => `${hashName(run.hash)} ${slotMaxOverMean(run).toFixed(2)}`);
  return `The largest part of a ring, as a multiple of the mean part: ${parts.join(', ')}.`;
}

/** @param runs has one run for each hash, all with the same number of replicas. */
export function hashSpreadChart(runs: readonly SpreadRun[]): Specification {
  const highest = Math.max(
    ...runs.flatMap((run) => [...measuredParts(run).values(), ...Object.values(run.slotShares)]),
  );
  return {
    title: {
      text: `A-4 Hash functions: ${runs[0]?.replicas} replicas under each pair`,
      subtitle: subtitle(
        hashSpreadFinding(runs),
        'Bars: part of the requests in %, measured; above each panel the busiest as a multiple of the mean.',
        'Lines across: part of the ring, exact. Where they differ, the request hash does not meet all slots alike.',
      ),
    },
    spacing: GAP,
    bounds: 'flush',
    hconcat: runs.map((run, index) => partsPanel(run, panelWidth(runs.length), highest * 1.1, index === 0)),
  };
}

/** @param runsByHash has for each hash its runs, fewest replicas first. */
export function hashScaleChart(runsByHash: readonly (readonly SpreadRun[])[]): Specification {
  const all = runsByHash.flat();
  const ratios = all.map((run) => evenness(run).maxOverMean);
  const highest = Math.max(...all.flatMap((run) => [...measuredParts(run).values()])) * 1.08;
  const mostRatio = 1 + (Math.max(...ratios) - 1) * 1.15;
  const size = { width: panelWidth(runsByHash.length), height: 150 };
  return {
    title: {
      text: 'A-4 Hash functions: as replicas are added',
      subtitle: subtitle(
        hashScaleFinding(runsByHash),
        'Above: a dot is a replica, the broad curve the ideal, 1/N. Below: the busiest as a multiple of the mean.',
      ),
    },
    spacing: { column: GAP, row: 64 },
    bounds: 'flush',
    columns: runsByHash.length,
    concat: [
      ...runsByHash.map((runs, index) => ({
        title: panelTitle(runs[0]?.hash ?? ''),
        ...bare(loadPanel(runs, size, highest), index === 0),
      })),
      ...runsByHash.map((runs, index) => bare(ratioPanel(runs, size, 2, mostRatio), index === 0)),
    ],
  };
}

/** @param runs has one run for each hash, all with the same number of replicas. */
export function ringsChart(runs: readonly SpreadRun[]): Specification {
  return {
    title: {
      text: `A-4 Hash functions: the rings of ${runs[0]?.replicas} replicas`,
      subtitle: subtitle(
        'Slot 0 is at the top, slots go clockwise; an arc leads to the virtual node at its end, which is marked.',
        `In the middle: the largest part of a ring as a multiple of the mean part. ${whole(runs[0]?.slots ?? 0)} slots each.`,
      ),
    },
    spacing: 28,
    columns: 3,
    concat: runs.map(ringPanel),
  };
}

function measuredParts({ counts, requests }: SpreadRun): Map<string, number> {
  return new Map(Object.entries(counts).map(([replica, count]) => [replica, count / requests]));
}

function panelWidth(panels: number): number {
  return Math.floor((WIDTH - GAP * (panels - 1)) / panels);
}

function panelTitle(text: string, below?: string): Specification {
  return { text: hashName(text), subtitle: below ?? [], fontSize: 13, offset: 10, anchor: 'middle', frame: 'group' };
}

// Only the first panel of a row shows the axis, which is the same for all.
function bare(panel: Specification, first: boolean): Specification {
  const layer = panel.layer as Specification[];
  if (first) return panel;
  return {
    ...panel,
    layer: layer.map((one) => {
      const encoding = one.encoding as { y?: Specification };
      const axis = { title: null, labels: false, ticks: false, domain: false };
      return { ...one, encoding: { ...encoding, y: { ...encoding.y, axis } } };
    }),
  };
}

function partsPanel(run: SpreadRun, width: number, highest: number, first: boolean): Specification {
  const parts = measuredParts(run);
  const rows = Object.keys(run.counts).map((replica, index) => ({
    replica: String(index + 1),
    part: parts.get(replica) ?? 0,
    exact: run.slotShares[replica] ?? 0,
    text: `${((parts.get(replica) ?? 0) * 100).toFixed(1)}%`,
  }));
  const x = { field: 'replica', type: 'nominal', sort: null, axis: { title: 'replica', labelAngle: 0 } };
  const y = (field: string) => ({
    field,
    type: 'quantitative',
    scale: { domain: [0, highest] },
    axis: first
      ? { title: 'part of the requests, %', format: '.0%', tickCount: 5 }
      : { title: null, labels: false, ticks: false },
  });
  return {
    title: panelTitle(run.hash, `busiest: ${times(evenness(run).maxOverMean)} mean`),
    width,
    height: 220,
    data: { values: rows },
    layer: [
      { mark: { type: 'bar', color: COLOURS.measured, width: { band: 0.8 } }, encoding: { x, y: y('part') } },
      {
        mark: { type: 'tick', color: COLOURS.ink, opacity: 1, thickness: 2.5, width: { band: 0.95 } },
        encoding: { x, y: y('exact') },
      },
      ...label({ dy: -10, fontSize: 10.5 }, { x, y: y('top'), text: { field: 'text' } }).map((layer) => ({
        transform: [{ calculate: 'max(datum.part, datum.exact)', as: 'top' }],
        ...layer,
      })),
    ],
  };
}

function ringPanel(run: SpreadRun): Specification {
  const { points, slots } = run;
  const turn = (slot: number) => (slot / slots) * 2 * Math.PI;
  const names = Object.keys(run.counts);
  // A virtual node holds the slots after the one before it, up to its own.
  const arcs = points.map(({ slot, replica }, index) => {
    const before = points.at(index - 1)?.slot ?? 0;
    const from = turn(before + 1 > slot ? before + 1 - slots : before + 1);
    return { replica, from, to: turn(slot + 1), mark: turn(slot + 0.5) };
  });
  const shares = names.map((name) => `${((run.slotShares[name] ?? 0) * 100).toFixed(1)} %`);
  const colour = {
    field: 'replica',
    type: 'nominal',
    scale: { domain: names, range: REPLICA_COLOURS.slice(0, names.length) },
    legend: { title: 'replica', orient: 'top', symbolType: 'square' },
  };
  const angle = (field: string) => ({ field, type: 'quantitative', scale: null });
  return {
    title: panelTitle(run.hash, shares.join(' · ')),
    width: 210,
    height: 210,
    data: { values: arcs },
    layer: [
      {
        mark: { type: 'arc', innerRadius: 62, outerRadius: 92 },
        encoding: { theta: angle('from'), theta2: { field: 'to' }, color: colour },
      },
      {
        mark: { type: 'arc', innerRadius: 94, outerRadius: 102 },
        transform: [
          { calculate: 'datum.mark - 0.012', as: 'left' },
          { calculate: 'datum.mark + 0.012', as: 'right' },
        ],
        encoding: { theta: angle('left'), theta2: { field: 'right' }, color: colour },
      },
      {
        data: { values: [{ label: times(slotMaxOverMean(run)) }] },
        mark: { type: 'text', fontSize: 26, fontWeight: 600, color: COLOURS.ink },
        encoding: { text: { field: 'label' } },
      },
      {
        data: { values: [{ label: 'mean' }] },
        mark: { type: 'text', fontSize: 11, dy: 22, color: COLOURS.muted },
        encoding: { text: { field: 'label' } },
      },
    ],
  };
}
