// for each fault a time line in three parts: what happened when, who answered, and how the requests fared.

import type { TimedRequest } from '../harness/load.ts';
import type { RecoverySamples } from '../samples.ts';
import { BEFORE_FAULT_MS, type FaultStory, faultStories, LATE_MS, outcomeOf, stallsOf } from '../summaries.ts';
import type { Shape, Specification } from './render.ts';
import { COLOURS, duration, label, REPLICA_COLOURS, subtitle, whole } from './theme.ts';

const BIN_MS = 100;
const HATCH_MS = 15;
// Below each other on a page, beside each other on a slide.
const SIZES = {
  page: { width: 610, replies: 90, outcomes: 50, breaksTitle: false, legend: { orient: 'right', columns: 1 } },
  slide: { width: 330, replies: 290, outcomes: 190, breaksTitle: true, legend: { orient: 'bottom', columns: 2 } },
} as const;
type Size = (typeof SIZES)[Shape];

const TITLES = {
  kill: ['killed', 'its process or container ends at once'],
  hang: ['hung', 'it is stopped, and neither answers nor ends'],
  rm: ['removed by /rm', 'it finishes its requests, nobody takes its place'],
} as const;

/** How many requests failed or waited, in a sentence. */
export function recoveryFinding({ requests }: RecoverySamples): string {
  const failed = requests.filter((request) => outcomeOf(request) === 'failed').length;
  const late = requests.filter((request) => outcomeOf(request) === 'answered late');
  const longest = Math.max(0, ...late.map(([, , tookMs]) => tookMs));
  const waited = late.length === 0 ? 'none waited' : `${whole(late.length)} waited`;
  const extent = late.length === 0 ? '' : `, the longest ${duration(longest)}`;
  return `${failed === 0 ? 'None' : whole(failed)} of ${whole(requests.length)} requests failed; ${waited} for more than ${LATE_MS} ms${extent}.`;
}

export function recoveryChart(samples: RecoverySamples, shape: Shape = 'page'): Specification {
  const panels = faultStories(samples).map((story) => storyPanels(story, samples, SIZES[shape]));
  const stalled = stallsOf(samples).length > 0 ? ' Hatched: the load itself stalled.' : '';
  return {
    title: {
      text: `A-3 Recovery: a replica killed, one hung, one removed, at ${samples.perSecond} requests a second`,
      subtitle: subtitle(recoveryFinding(samples), `Requests stand where they were sent, 100 ms to a bar.${stalled}`),
    },
    spacing: 30,
    ...(shape === 'page' ? { vconcat: panels } : { hconcat: panels }),
  };
}

function storyPanels(story: FaultStory, samples: RecoverySamples, size: Size): Specification {
  const { fault } = story;
  const [what, how] = TITLES[fault.kind];
  return {
    title: {
      text: size.breaksTitle ? [`${fault.replica} is ${what}:`, how] : `${fault.replica} is ${what}: ${how}`,
      subtitle: `${story.failed} failed, ${story.late} late of ${whole(story.requests.length)} requests`,
      fontSize: 13,
      offset: 8,
    },
    spacing: 6,
    vconcat: [marksPanel(story, size), repliesPanel(story, samples, size), outcomesPanel(story, samples, size)],
  };
}

function xOf({ endMs }: FaultStory, field: string, axis: unknown): Specification {
  return { field, type: 'quantitative', scale: { domain: [-BEFORE_FAULT_MS / 1000, endMs / 1000], nice: false }, axis };
}

function marksPanel(story: FaultStory, { width }: Size): Specification {
  const { fault } = story;
  const gone = fault.kind === 'rm' ? 'leaves the ring' : 'found out';
  const rows = [
    { what: beginningOf(fault.kind), atMs: 0 as number | undefined },
    { what: gone, atMs: story.detectedMs },
    { what: 'keys served elsewhere', atMs: story.elsewhereMs },
    ...(fault.kind === 'rm' ? [] : [{ what: 'replacement serves', atMs: story.replacedMs }]),
  ].flatMap(({ what, atMs }) =>
    atMs === undefined ? [] : [{ what, atS: atMs / 1000, text: labelOf(atMs, fault.replacement, what) }],
  );
  const y = {
    field: 'what',
    type: 'nominal',
    sort: null,
    axis: { title: null, domain: false, ticks: false, grid: false, labelPadding: 8 },
  };
  return {
    width,
    height: rows.length * 17,
    data: { values: rows },
    layer: [
      {
        mark: { type: 'point', filled: true, shape: 'diamond', size: 90, color: COLOURS.ink, opacity: 1 },
        encoding: { x: xOf(story, 'atS', null), y },
      },
      // Where there is no room to the right of a mark, its label is to the left.
      ...([true, false] as const).flatMap((isLeft) =>
        label(
          { align: isLeft ? 'right' : 'left', dx: isLeft ? -9 : 9 },
          { x: xOf(story, 'atS', null), y, text: { field: 'text' } },
        ).map((layer) => ({
          transform: [{ filter: `${isLeft ? '' : '!'}(datum.atS > ${(0.55 * story.endMs) / 1000})` }],
          ...layer,
        })),
      ),
    ],
  };
}

/** A removal is no fault. */
function beginningOf(kind: FaultStory['fault']['kind']): string {
  return kind === 'rm' ? 'removal' : 'fault';
}

function labelOf(atMs: number, replacement: string | undefined, what: string): string {
  if (atMs === 0) return '';
  const after = `after ${duration(Math.max(1, Math.round(atMs)))}`;
  return what === 'replacement serves' && replacement !== undefined ? `${after}: ${replacement}` : after;
}

// Counts the requests of each bin by the name that `nameOf` gives them.
function binned({ requests, endMs }: FaultStory, nameOf: (request: TimedRequest) => string) {
  const bins = new Map<string, { fromS: number; toS: number; name: string; count: number }>();
  for (const request of requests) {
    const from = Math.floor(request[1] / BIN_MS) * BIN_MS;
    // The last bin is left out if it is not complete.
    if (from + BIN_MS > endMs) continue;
    const name = nameOf(request);
    const bin = bins.get(`${from} ${name}`) ?? { fromS: from / 1000, toS: (from + BIN_MS) / 1000, name, count: 0 };
    bin.count += 1;
    bins.set(`${from} ${name}`, bin);
  }
  return [...bins.values()];
}

function repliesPanel(story: FaultStory, samples: RecoverySamples, size: Size): Specification {
  const { replicas } = samples;
  const nobody = 'nobody';
  const nameOf = (request: TimedRequest) => replicas[request[4]] ?? nobody;
  const seen = new Set(story.requests.map(nameOf));
  // A replica keeps its colour through all three faults.
  const names = [...replicas.toSorted(byJoining), nobody];
  const colours = [...REPLICA_COLOURS.slice(0, replicas.length), COLOURS.failed];
  const shown = names.filter((name) => seen.has(name));
  return binPanel(story, samples, size, binned(story, nameOf), 'answered by', size.replies, null, {
    domain: shown,
    range: shown.map((name) => colours[names.indexOf(name)] ?? COLOURS.plain),
  });
}

// Orders the first replicas by their numbers, and the replacements after them as they came.
function byJoining(a: string, b: string): number {
  const number = (name: string) => Number(/^server(\d+)$/.exec(name)?.[1] ?? Number.POSITIVE_INFINITY);
  const difference = number(a) - number(b);
  return Number.isNaN(difference) ? 0 : difference;
}

function outcomesPanel(story: FaultStory, samples: RecoverySamples, size: Size): Specification {
  const title = `seconds from the ${beginningOf(story.fault.kind)}`;
  const axis = { title, tickCount: size.width / 75, grid: false };
  return binPanel(story, samples, size, binned(story, outcomeOf), 'outcome', size.outcomes, axis, {
    domain: ['failed', 'answered late', 'answered at once'],
    range: [COLOURS.failed, COLOURS.late, COLOURS.fine],
  });
}

function binPanel(
  story: FaultStory,
  samples: RecoverySamples,
  { width, legend }: Size,
  rows: readonly unknown[],
  title: string,
  height: number,
  axis: unknown,
  scale: { domain: readonly string[]; range: readonly string[] },
): Specification {
  return {
    width,
    height,
    data: { values: rows },
    layer: [
      {
        transform: [{ calculate: `indexof(${JSON.stringify(scale.domain)}, datum.name)`, as: 'place' }],
        mark: { type: 'bar', binSpacing: 1 },
        encoding: {
          x: { ...xOf(story, 'fromS', axis), bin: 'binned' },
          x2: { field: 'toS' },
          y: {
            field: 'count',
            type: 'quantitative',
            stack: true,
            axis: { title: 'requests in 0.1 s', titleFontSize: 11, tickCount: 2 },
          },
          order: { field: 'place', type: 'quantitative' },
          color: { field: 'name', type: 'nominal', scale, legend: { title, ...legend, symbolType: 'square' } },
        },
      },
      {
        data: { values: [{ atS: 0 }] },
        mark: { type: 'rule', color: COLOURS.ink, strokeWidth: 1.5 },
        encoding: { x: { field: 'atS', type: 'quantitative' } },
      },
      ...stallMarks(story, samples),
    ],
    resolve: { scale: { color: 'independent' } },
  };
}

// Thin lines where nothing was sent, so that the gap is not taken for one in the answers.
function stallMarks({ fault, endMs }: FaultStory, samples: RecoverySamples): Specification[] {
  const lines = stallsOf(samples).flatMap(({ fromMs, toMs }) => {
    const [from, to] = [Math.max(-BEFORE_FAULT_MS, fromMs - fault.atMs), Math.min(endMs, toMs - fault.atMs)];
    return Array.from({ length: Math.max(0, Math.ceil((to - from) / HATCH_MS)) }, (_, index) => ({
      atS: (from + (index + 0.5) * HATCH_MS) / 1000,
    }));
  });
  if (lines.length === 0) return [];
  return [
    {
      data: { values: lines },
      mark: { type: 'rule', color: COLOURS.muted, strokeWidth: 1, opacity: 0.7 },
      encoding: { x: { field: 'atS', type: 'quantitative' } },
    },
  ];
}
