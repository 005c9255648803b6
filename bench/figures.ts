// Which charts a report has, depending on the parts that were run: name of the file, explanation and specification.
// Pure.

import { affinityChart, affinityFinding } from './charts/affinity.ts';
import { autoscaleChart, autoscaleFinding } from './charts/autoscale.ts';
import {
  hashScaleChart,
  hashScaleFinding,
  hashSpreadChart,
  hashSpreadFinding,
  ringsChart,
  ringsFinding,
} from './charts/hashes.ts';
import { matrixChart, matrixFinding } from './charts/matrix.ts';
import { overloadChart, overloadFinding } from './charts/overload.ts';
import { recoveryChart, recoveryFinding } from './charts/recovery.ts';
import type { Specification } from './charts/render.ts';
import { scaleChart, scaleFinding } from './charts/scale.ts';
import { soakChart, soakFinding } from './charts/soak.ts';
import { losses, sideChart, speedChart, standing } from './charts/speed.ts';
import { spreadChart, spreadFinding } from './charts/spread.ts';
import { size, whole } from './charts/theme.ts';
import { comparisons, workersChart } from './charts/workers.ts';
import type {
  AffinitySamples,
  AutoscaleSamples,
  MatrixSamples,
  OverloadSamples,
  RecoverySamples,
  Results,
  SoakSamples,
  SpeedSamples,
  SpreadSamples,
} from './samples.ts';
import { BODIES_BYTES, SHOWN_REPLICAS } from './scenarios.ts';
import {
  evenness,
  hashesOf,
  mainTrial,
  runsOf,
  type SpeedSummary,
  scaleSummaries,
  shownRun,
  speedSummaries,
} from './summaries.ts';

export interface Figure {
  /** The name of the SVG file, without its ending. */
  readonly name: string;
  readonly heading: string;
  /** What to see in the chart, and why it is so. */
  readonly text: string;
  /** What was found, in a sentence or two. */
  readonly finding: string;
  readonly specification: Specification;
  /** Laid out for a slide, if scaling it would not do. */
  readonly slide?: Specification;
}

export function figuresOf({ spread, recovery, overload, autoscale, affinity, soak, matrix, speed }: Results): Figure[] {
  return [
    ...(spread === undefined ? [] : spreadFigures(spread)),
    ...(recovery === undefined ? [] : [recoveryFigure(recovery)]),
    ...(soak === undefined ? [] : [soakFigure(soak)]),
    ...(matrix === undefined ? [] : [matrixFigure(matrix)]),
    ...(spread === undefined ? [] : hashFigures(spread)),
    ...(overload === undefined ? [] : [overloadFigure(overload)]),
    ...(autoscale === undefined ? [] : [autoscaleFigure(autoscale)]),
    ...(affinity === undefined ? [] : [affinityFigure(affinity)]),
    ...(speed === undefined ? [] : speedFigures(speed)),
  ];
}

function spreadFigures(samples: SpreadSamples): Figure[] {
  const { hash } = samples;
  const own = shownRun(samples, hash);
  const bounded = shownRun(samples, hash, true);
  const first: Figure[] =
    own === undefined
      ? []
      : [
          {
            name: 'a1-spread',
            heading: 'A-1 Spread',
            text: `Bars should be as high as the line. ${boundText(bounded)}`,
            finding: spreadFinding(own),
            specification: spreadChart(own),
          },
        ];
  return [
    ...first,
    {
      name: 'a2-scale',
      heading: 'A-2 Scale',
      text: 'Dots should lie on the broad curve, and the line on the right at 1 ×: then each replica carries its part, however many there are.',
      finding: scaleFinding(runsOf(samples, hash)),
      specification: scaleChart(runsOf(samples, hash)),
    },
  ];
}

function hashFigures(samples: SpreadSamples): Figure[] {
  const hashes = hashesOf(samples);
  const shown = hashes.flatMap((one) => shownRun(samples, one) ?? []);
  return [
    {
      name: 'a4-spread',
      heading: `A-4 Hash functions: spread over ${SHOWN_REPLICAS}`,
      text:
        'Bars of one panel should be alike. The lines across are parts of the ring: they show what the placement of virtual nodes alone does, ' +
        'and where a bar is off its line, the hash of the requests adds its share.',
      finding: hashSpreadFinding(shown),
      specification: hashSpreadChart(shown),
    },
    {
      name: 'a4-scale',
      heading: 'A-4 Hash functions: scale',
      text: 'The same as A-2 for every pair: a pair is good if its dots stay on the curve and its line stays at 1 as replicas are added.',
      finding: hashScaleFinding(hashes.map((one) => runsOf(samples, one))),
      specification: hashScaleChart(hashes.map((one) => runsOf(samples, one))),
    },
    {
      name: 'a4-rings',
      heading: 'A-4 Hash functions: the rings',
      text: 'Virtual nodes that crowd together leave one long arc to whoever comes after the gap; nodes laid out on purpose leave equal sums of arcs.',
      finding: ringsFinding(shown),
      specification: ringsChart(shown),
    },
  ];
}

function boundText(bounded: ReturnType<typeof shownRun>): string {
  if (bounded === undefined) return '';
  const ratio = evenness(bounded).maxOverMean.toFixed(3);
  return (
    'Here the ring alone decides: the bound on load (--balance-factor) is off, as in A-2 and A-4. With the options as they come ' +
    `and 10 requests at a time, max/mean was ${ratio}: a bound passes on what a busy replica has no room for.`
  );
}

function recoveryFigure(samples: RecoverySamples): Figure {
  return {
    name: 'a3-recovery',
    heading: 'A-3 Recovery',
    text:
      'A fault should leave no red, and the colour of the replica that was struck should soon make way for its replacement. ' +
      'A replica that hangs takes longest to find out: nothing ends, so only missed heartbeats tell.',
    finding: recoveryFinding(samples),
    specification: recoveryChart(samples),
    slide: recoveryChart(samples, 'slide'),
  };
}

function affinityFigure(samples: AffinitySamples): Figure {
  return {
    name: 'affinity',
    heading: 'Affinity',
    text:
      'A good bar is long on the left, short in the middle, and ends before the dashed line on the right. Who does not look at the prompt has even ' +
      'engines that read everything again; a ring without a bound has nearly all cached, and engines that are unequally busy. In between is a bound ' +
      'on load: few turns leave the engine that knows them, and those go to the same other one each time.',
    finding: affinityFinding(samples),
    specification: affinityChart(samples),
  };
}

function overloadFigure(samples: OverloadSamples): Figure {
  return {
    name: 'overload',
    heading: 'Overload',
    text:
      'What is answered should stay as high as the dashed line, which is all that the replicas can do, and the time to an answer should stay low: whoever ' +
      'could only be served late is told so at once, with a 503 and when to try again.',
    finding: overloadFinding(samples),
    specification: overloadChart(samples),
  };
}

function autoscaleFigure(samples: AutoscaleSamples): Figure {
  return {
    name: 'autoscale',
    heading: 'Autoscaling',
    text:
      'The line should follow the ideal upwards within seconds, and stay above it for a while on the way down: a replica too many costs little, and ' +
      'one too few costs requests. Below, each replica should have the target in flight (dashed), within a fifth (shaded), on the plateau.',
    finding: autoscaleFinding(samples),
    specification: autoscaleChart(samples),
  };
}

function matrixFigure(samples: MatrixSamples): Figure {
  return {
    name: 'matrix',
    heading: 'Fault matrix',
    text: 'No request may be worse off than its fault has it: an answer where another replica could give one, else an error that is told, at once or when the limit of that phase is over. lib/README.md has the table with its rules.',
    finding: matrixFinding(samples),
    specification: matrixChart(samples),
    slide: matrixChart(samples, 'slide'),
  };
}

function soakFigure(samples: SoakSamples): Figure {
  return {
    name: 'soak',
    heading: 'Soak',
    text:
      'Lines should be level: whatever a fault leaves behind, however little, would make them climb. Memory climbs in the beginning, while code ' +
      'is compiled and buffers are made that are used again; each fault makes a peak.',
    finding: soakFinding(samples),
    specification: soakChart(samples),
    slide: soakChart(samples, 'slide'),
  };
}

function speedFigures(samples: SpeedSamples): Figure[] {
  const summaries = speedSummaries(samples);
  const names = mainTrial(summaries).map((one) => one.contender);
  if (names.length === 0) return [];
  const main: Figure = {
    name: 'speed',
    heading: 'Speed',
    text:
      'Short bars on the left are good: processor time per request holds from run to run, while requests per second also depend on the load ' +
      `generator (${samples.generator}) and the backend (${samples.backend}). The bare sockets are joined in Node, with nothing parsed.`,
    finding: standing(mainTrial(summaries)),
    specification: speedChart(samples),
  };
  const bodies = BODIES_BYTES.map((bytes) => ({
    name: size(bytes),
    summaries: summaries.filter((one) => one.bodyBytes === bytes),
  }));
  const counts = [...new Set(summaries.filter((one) => one.bodyBytes === 0).map((one) => one.connections))];
  const connections = counts
    .toSorted((a, b) => a - b)
    .map((count) => ({
      name: `${whole(count)} connections`,
      summaries: summaries.filter((one) => one.bodyBytes === 0 && one.connections === count),
    }));
  return [
    main,
    ...sideFigure('speed-bodies', 'Speed with larger bodies', bodies, names, [
      'How the cost of a request grows with its body: at 10 MiB nearly all of it is passing bytes on. ringmaster uses its buffers again, ' +
        'which the bare sockets, joined by pipe, do not.',
      'Rows in the order of the comparison with small bodies.',
    ]),
    ...sideFigure('speed-connections', 'Speed with few and many connections', connections, names, [
      'How the cost of a request grows with the number of clients: short bars in all panels are good.',
      'Rows in the order of the comparison with 64 connections. Small bodies.',
    ]),
    ...scaleFigures(samples),
  ];
}

function scaleFigures({ scale = [] }: SpeedSamples): Figure[] {
  if (scaleSummaries(scale).length === 0) return [];
  return [
    {
      name: 'speed-workers',
      heading: 'Speed with several workers and many replicas',
      text:
        'With one worker a contender has one core. With two it has both, but the load generator and the backends need the second one as well: ' +
        'so the bars in the middle are what two cores can do together, whoever uses them. On the right is what is left when that is taken off: ' +
        'if the busiest thread had a core to itself, it would bring the contender to that many requests a second. Short bars on the left and long ' +
        'ones on the right are good. Heartbeats are off.',
      finding: comparisons(scale).join(' '),
      specification: workersChart(scale),
    },
  ];
}

function sideFigure(
  name: string,
  heading: string,
  trials: readonly { readonly name: string; readonly summaries: readonly SpeedSummary[] }[],
  names: readonly string[],
  [text, explanation]: readonly [string, string],
): Figure[] {
  const run = trials.filter(({ summaries }) => summaries.some((one) => one.cpuMicros !== undefined));
  if (run.length < 2) return [];
  const rounds = Math.min(...run.flatMap(({ summaries }) => summaries.map((one) => one.rounds)));
  const medians = rounds === 1 ? 'One round each.' : `Medians of ${rounds} rounds; whiskers: least to most.`;
  const specification = sideChart(heading, `${explanation} ${medians}`, run, names);
  return [{ name, heading, text, finding: losses(run), specification }];
}
