// for each fault a time line in three parts: what happened when, who answered, and how the requests fared.

import type { TimedRequest } from '../harness/load.ts';
import type { RecoverySamples } from '../samples.ts';
import { BEFORE_FAULT_MS, type FaultStory, faultStories, LATE_MS, outcomeOf } from '../summaries.ts';
import type { Specification } from './render.ts';
import { COLOURS, duration, REPLICA_COLOURS, subtitle, whole } from './theme.ts';

const BIN_MS = 100;
const WIDTH = 610;

const TITLES = {
  kill: 'killed: its process or container ends at once',
  hang: 'hung: it is stopped, and neither answers nor ends',
  rm: 'removed by /rm: it finishes its requests, and nobody takes its place',
} as const;

export function recoveryChart(samples: RecoverySamples): Specification {
  const stories = faultStories(samples);
  const { requests, perSecond } = samples;
  const failed = requests.filter((request) => outcomeOf(request) === 'failed').length;
  const late = requests.filter((request) => outcomeOf(request) === 'answered late');
  const longest = Math.max(0, ...late.map(([, , tookMs]) => tookMs));
  const waited = late.length === 0 ? 'none waited' : `${whole(late.length)} waited`;
  const extent = late.length === 0 ? '' : `, the longest ${duration(longest)}`;
  return {
    title: {
      text: `A-3 Recovery: a replica killed, one hung, one removed, at ${perSecond} requests a second`,
      subtitle: subtitle(
        `${failed === 0 ? 'None' : whole(failed)} of ${whole(requests.length)} requests failed; ${waited} for more than ${LATE_MS} ms${extent}.`,
        'Requests stand where they were sent, 100 ms to a bar.',
      ),
    },
    spacing: 30,
    vconcat: stories.map((story) => storyPanels(story, samples)),
  };
}

function storyPanels(story: FaultStory, samples: RecoverySamples): Specification {
  const { fault } = story;
  return {
    title: {
      text: `${fault.replica} is ${TITLES[fault.kind]}`,
      subtitle: `${story.failed} failed, ${story.late} late of ${whole(story.requests.length)}`,
      fontSize: 13,
      offset: 8,
    },
    spacing: 6,
    vconcat: [marksPanel(story), repliesPanel(story, samples), outcomesPanel(story)],
  };
}

function xOf({ endMs }: FaultStory, field: string, axis: unknown): Specification {
  return { field, type: 'quantitative', scale: { domain: [-BEFORE_FAULT_MS / 1000, endMs / 1000], nice: false }, axis };
}

function marksPanel(story: FaultStory): Specification {
  const { fault } = story;
  const gone = fault.kind === 'rm' ? 'leaves the ring' : 'found out';
  const rows = [
    { what: 'fault', atMs: 0 as number | undefined },
    { what: gone, atMs: story.detectedMs },
    { what: 'keys served elsewhere', atMs: story.elsewhereMs },
    ...(fault.kind === 'rm' ? [] : [{ what: 'replacement serves', atMs: story.replacedMs }]),
  ].flatMap(({ what, atMs }) =>
    atMs === undefined ? [] : [{ what, atS: atMs / 1000, label: labelOf(atMs, fault.replacement, what) }],
  );
  const y = {
    field: 'what',
    type: 'nominal',
    sort: null,
    axis: { title: null, domain: false, ticks: false, grid: false, labelPadding: 8 },
  };
  return {
    width: WIDTH,
    height: rows.length * 17,
    data: { values: rows },
    layer: [
      {
        mark: { type: 'point', filled: true, shape: 'diamond', size: 90, color: COLOURS.ours, opacity: 1 },
        encoding: { x: xOf(story, 'atS', null), y },
      },
      {
        mark: { type: 'text', align: 'left', dx: 9, color: COLOURS.ink },
        encoding: { x: xOf(story, 'atS', null), y, text: { field: 'label' } },
      },
    ],
  };
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

function repliesPanel(story: FaultStory, { replicas }: RecoverySamples): Specification {
  const nobody = 'nobody';
  const nameOf = (request: TimedRequest) => replicas[request[4]] ?? nobody;
  const seen = new Set(story.requests.map(nameOf));
  // A replica keeps its colour through all three faults.
  const names = [...replicas.toSorted(byJoining), nobody];
  const colours = [...REPLICA_COLOURS.slice(0, replicas.length), COLOURS.failed];
  const shown = names.filter((name) => seen.has(name));
  return binPanel(story, binned(story, nameOf), 'answered by', 90, null, {
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

function outcomesPanel(story: FaultStory): Specification {
  const axis = { title: 'seconds from the fault', tickCount: 8, grid: false };
  return binPanel(story, binned(story, outcomeOf), 'outcome', 50, axis, {
    domain: ['failed', 'answered late', 'answered at once'],
    range: [COLOURS.failed, COLOURS.late, COLOURS.fine],
  });
}

function binPanel(
  story: FaultStory,
  rows: readonly unknown[],
  title: string,
  height: number,
  axis: unknown,
  scale: { domain: readonly string[]; range: readonly string[] },
): Specification {
  return {
    width: WIDTH,
    height,
    data: { values: rows },
    layer: [
      {
        transform: [{ calculate: `indexof(${JSON.stringify(scale.domain)}, datum.name)`, as: 'place' }],
        mark: { type: 'bar', binSpacing: 1 },
        encoding: {
          x: { ...xOf(story, 'fromS', axis), bin: 'binned' },
          x2: { field: 'toS' },
          y: { field: 'count', type: 'quantitative', stack: true, axis: { title: 'requests', tickCount: 2 } },
          order: { field: 'place', type: 'quantitative' },
          color: { field: 'name', type: 'nominal', scale, legend: { title, orient: 'right', symbolType: 'square' } },
        },
      },
      {
        data: { values: [{ atS: 0 }] },
        mark: { type: 'rule', color: COLOURS.ours, strokeWidth: 1.5 },
        encoding: { x: { field: 'atS', type: 'quantitative' } },
      },
    ],
    resolve: { scale: { color: 'independent' } },
  };
}
