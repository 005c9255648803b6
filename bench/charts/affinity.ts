// Conversations with language models through each contender: what was cached, how long the first byte took, and how
// evenly engines were busy. The subtitle says how far ours is from one engine with all the memory.

import { BOUND, BOUNDED } from '../contenders.ts';
import type { AffinitySamples } from '../samples.ts';
import { type AffinitySummary, affinitySummaries, bestHitRatio } from '../summaries-affinity.ts';
import type { Specification } from './render.ts';
import { barPanel } from './speed.ts';
import { brief, COLOURS, subtitle } from './theme.ts';

const PANEL_WIDTH = 150;

/** How far ours is from one engine with all the memory, in a sentence. */
export function affinityFinding(samples: AffinitySamples): string {
  return standing(affinitySummaries(samples), 100 * bestHitRatio(samples));
}

export function affinityChart(samples: AffinitySamples): Specification {
  const summaries = affinitySummaries(samples);
  const names = summaries.map(({ contender }) => contender);
  const best = 100 * bestHitRatio(samples);
  const { engines, perSecond } = samples.plan;
  return {
    title: {
      text: `Affinity: conversations with ${engines} engines that cache prefixes, ${perSecond} turns a second`,
      subtitle: subtitle(
        standing(summaries, best),
        `Dashed: what one engine with the memory of all would find cached. In flight: at moments after the warm-up, and the bound is ${BOUND}.`,
      ),
    },
    spacing: 22,
    hconcat: [
      marked(barPanel(rowsOf(summaries, hitWithin(best)), names, 'cached, % of the prompts', PANEL_WIDTH, true), best),
      barPanel(
        rowsOf(summaries, first),
        names,
        ['time to the first byte, ms:', '95 % were faster'],
        PANEL_WIDTH,
        false,
      ),
      barPanel(
        rowsOf(summaries, evenness),
        names,
        ['in flight, the most as × mean;', 'bar: median, whisker: to 95 %'],
        130,
        false,
      ),
    ],
  };
}

function standing(summaries: readonly AffinitySummary[], best: number): string {
  const ours = summaries.find(({ contender }) => contender === BOUNDED);
  if (ours === undefined) return 'Ours was not measured.';
  const [roundRobin] = summaries;
  const factor = roundRobin === undefined || roundRobin === ours ? undefined : roundRobin.firstP95Ms / ours.firstP95Ms;
  return [
    `By the prompt and with a bound on load, ${(best - 100 * ours.hitRatio).toFixed(1)} points fewer are cached than at best`,
    ...(factor === undefined
      ? []
      : [
          `, and 95 % have their first byte ${brief(factor)} times sooner than with ${roundRobin?.contender}, ` +
            `whose engines read prompts ${Math.round(100 * (roundRobin?.busyRatio ?? 0))} % of the time`,
        ]),
    '.',
  ].join('');
}

interface Bar {
  readonly middle: number;
  readonly most: number;
  readonly label: string;
}

function rowsOf(summaries: readonly AffinitySummary[], barOf: (summary: AffinitySummary) => Bar) {
  return summaries.map((summary) => {
    const bar = barOf(summary);
    return { contender: summary.contender, ...bar, least: bar.middle };
  });
}

/** A thin line shows what is missing to the best. */
function hitWithin(best: number): (summary: AffinitySummary) => Bar {
  return ({ hitRatio }) => {
    const percent = 100 * hitRatio;
    return { middle: percent, most: Math.max(percent, best), label: `${brief(percent)} %` };
  };
}

function first({ firstP95Ms }: AffinitySummary): Bar {
  return { middle: firstP95Ms, most: firstP95Ms, label: `${brief(firstP95Ms)} ms` };
}

function evenness({ mostOverMean: { median, p95 } }: AffinitySummary): Bar {
  return { middle: median, most: p95, label: `${median.toFixed(2)} … ${p95.toFixed(2)} ×` };
}

function marked(panel: Specification, at: number): Specification {
  const rule = {
    data: { values: [{ at }] },
    mark: { type: 'rule', color: COLOURS.ink, strokeDash: [4, 3] },
    encoding: { x: { field: 'at', type: 'quantitative' } },
  };
  return { ...panel, layer: [...(panel.layer as readonly Specification[]), rule] };
}
