// The soak: memory, descriptors and times over an hour, each with a line through it and how steep that is.

import type { HeapParts } from '../heap.ts';
import type { SoakLook, SoakSamples } from '../samples.ts';
import { slopeOf } from '../statistics.ts';
import type { Shape, Specification } from './render.ts';
import { brief, COLOURS, subtitle, whole } from './theme.ts';

const SIZES = { page: { width: 640, height: 92, columns: 1 }, slide: { width: 470, height: 170, columns: 2 } } as const;
const MIB = 2 ** 20;
const MINUTE_MS = 60_000;
// In the beginning code is compiled, and what is kept for reuse is made.
export const SETTLED_PART = 0.2;

interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly measure: (look: SoakLook) => number;
}

const PANELS: readonly Panel[] = [
  { title: 'resident memory', unit: 'MiB', measure: (look) => look.residentBytes / MIB },
  { title: 'heap after a collection', unit: 'MiB', measure: (look) => look.heapBytes / MIB },
  { title: 'descriptors', unit: '', measure: (look) => look.descriptors },
  { title: 'p99 of good answers', unit: 'ms', measure: (look) => look.p99Ms },
];

export interface SoakSlope {
  readonly title: string;
  /** How much it grows in an hour, and how sure that is. */
  readonly words: string;
  readonly isGrowth: boolean;
}

/** How each of what is watched goes, once it has settled. */
export function soakSlopes({ looks }: SoakSamples): SoakSlope[] {
  return PANELS.map(({ title, unit, measure }) => {
    const settled = settledOf(looks);
    const { perUnit, margin } = slopeOf(
      settled.map(({ atMs }) => atMs / (60 * MINUTE_MS)),
      settled.map(measure),
    );
    const isFlat = Math.abs(perUnit) <= margin;
    const amount = `${signed(perUnit)} ± ${brief(margin)}${unit === '' ? '' : ` ${unit}`} an hour`;
    const words = `${amount}, ${isFlat ? 'not to be told from none' : perUnit > 0 ? 'it grows' : 'it falls'}`;
    return { title, words, isGrowth: !isFlat && perUnit > 0 };
  });
}

/** What grows and what does not, in a sentence. */
export function soakFinding(samples: SoakSamples): string {
  const grown = soakSlopes(samples).filter(({ isGrowth }) => isGrowth);
  if (grown.length === 0) return 'None of the four grows that one could tell.';
  return `Of the four this grows: ${grown.map(({ title, words }) => `${title} (${words.replace(/,.*/, '')})`).join('; ')}.`;
}

export function soakChart(samples: SoakSamples, shape: Shape = 'page'): Specification {
  const { looks, faults, perSecond, mostPerSecond, workers } = samples;
  const minutes = (looks.at(-1)?.atMs ?? 0) / MINUTE_MS;
  const requests = looks.reduce((sum, look) => sum + look.requests, 0);
  const failed = looks.reduce((sum, look) => sum + look.failed, 0);
  const slopes = soakSlopes(samples);
  return {
    title: {
      text: `Soak: ${whole(minutes)} minutes at ${whole(perSecond)} requests a second, with ${faults.length} faults`,
      subtitle: subtitle(
        soakFinding(samples),
        `${whole(mostPerSecond)} a second are the most that program, replicas and clients manage together on this machine.`,
        `${whole(requests)} requests, of which the faults cost ${whole(failed)}. Workers: ${workers}.`,
        'Dashed: a straight line through it without the first fifth of the time; slopes with a confidence of 95 %.',
        heapWords(samples),
      ),
    },
    spacing: 18,
    columns: SIZES[shape].columns,
    concat: PANELS.map((panel, index) => panelOf(panel, slopes[index]?.words ?? '', samples, shape)),
  };
}

function heapWords({ heap }: SoakSamples): string {
  const [settled, last] = [heap[0], heap.at(-1)];
  if (settled === undefined || last === undefined || settled === last) return '';
  const grown = (part: keyof HeapParts) => `${signed((last[part] - settled[part]) / MIB)} MiB`;
  return `Since then the heap got ${grown('codeBytes')} of code that V8 made, and ${grown('objectBytes')} of all else.`;
}

function panelOf({ title, unit, measure }: Panel, words: string, { looks }: SoakSamples, shape: Shape): Specification {
  const { width, height } = SIZES[shape];
  const values = looks.map((look) => ({ minute: look.atMs / MINUTE_MS, value: measure(look) }));
  const settled = settledOf(looks);
  const [first, last] = [settled[0], settled.at(-1)];
  const x = {
    field: 'minute',
    type: 'quantitative',
    axis: { title: 'minutes since the load began', tickCount: 10, grid: false },
    scale: { nice: false },
  };
  const y = { field: 'value', type: 'quantitative', axis: { title: unit === '' ? title : unit, tickCount: 3 } };
  return {
    title: { text: `${title}: ${words}`, fontSize: 13, offset: 6 },
    width,
    height,
    layer: [
      { data: { values }, mark: { type: 'line', strokeWidth: 1.5, color: COLOURS.measured }, encoding: { x, y } },
      {
        data: { values: first === undefined || last === undefined ? [] : lineThrough(settled, measure) },
        mark: { type: 'line', strokeWidth: 2, strokeDash: [6, 4], color: COLOURS.ink },
        encoding: { x, y },
      },
    ],
  };
}

function lineThrough(looks: readonly SoakLook[], measure: (look: SoakLook) => number) {
  const minutes = looks.map(({ atMs }) => atMs / MINUTE_MS);
  const values = looks.map(measure);
  const { perUnit } = slopeOf(minutes, values);
  const middle = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0) / all.length;
  const [middleMinute, middleValue] = [middle(minutes), middle(values)];
  return [minutes[0] ?? 0, minutes.at(-1) ?? 0].map((minute) => ({
    minute,
    value: middleValue + perUnit * (minute - middleMinute),
  }));
}

function settledOf(looks: readonly SoakLook[]): readonly SoakLook[] {
  const from = SETTLED_PART * (looks.at(-1)?.atMs ?? 0);
  return looks.filter(({ atMs }) => atMs >= from);
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${brief(Math.abs(value))}`;
}
