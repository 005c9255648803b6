// `npm run report`: draws all charts again from bench/results/ into bench/reports/, or from and into the same folders
// of `--out DIR`, without running anything. The same samples give the same bytes.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, parse, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { renderSvg } from './charts/render.ts';
import { runCommand } from './command.ts';
import { figuresOf } from './figures.ts';
import { convert, type Format, readFormats } from './formats.ts';
import { HEADING, type Heading, reportMarkdown, reportPage } from './page.ts';
import type { Results } from './samples.ts';
import { tablesOf, textOf } from './tables.ts';
import { doubtsAbout, findDoubts, notesFor } from './warnings.ts';

/** The options that say what a report looks like, for a help text. */
export const STYLE_HELP = `  --title TEXT        what the report is headed with
  --names "A,B,C"     who hands it in
  --format svg,png,pdf  charts in these formats; PNG and PDF are made by rsvg-convert (Debian: librsvg2-bin, brew: librsvg)`;

const HELP = `Usage: npm run report -- [options]

Draws the samples in bench/results anew into bench/reports: index.html, README.md, and each chart as wide as a page and as a slide.
With any option below, into bench/out/reports.

  --out DIR           from DIR/results into DIR/reports
  --only PARTS        of spread, recovery, overload, autoscale, affinity, speed, soak and matrix, with commas
${STYLE_HELP}
  --help              this text
`;

/** The folder of the samples and the report that are committed, which come from a run of everything. */
export const WHOLE_OUT = fileURLToPath(new URL('.', import.meta.url));
/** The folder of all other runs, so that they leave the committed pictures alone. */
export const PARTIAL_OUT = fileURLToPath(new URL('out', import.meta.url));

const resultsIn = (out: string) => join(out, 'results');
const reportsIn = (out: string) => join(out, 'reports');

/** The path of a report's page, for people: relative to where they are, or absolute if that would lead upwards. */
export function pageIn(out: string): string {
  const path = resolve(reportsIn(out), 'index.html');
  const fromHere = relative('', path);
  return fromHere.startsWith('..') ? path : fromHere;
}

export const PARTS = ['spread', 'recovery', 'overload', 'autoscale', 'affinity', 'speed'] as const;
export type Part = (typeof PARTS)[number];
// These have commands of their own, since the soak takes an hour, and the matrix is a test as well.
const DRAWN = [...PARTS, 'soak', 'matrix'] as const;
export type Drawn = (typeof DRAWN)[number];

/** Reads the samples of the given parts, as far as they were run. */
export function readResults(out: string, parts: readonly Drawn[] = DRAWN): Results {
  const folder = resultsIn(out);
  const there = DRAWN.filter((part) => parts.includes(part) && existsSync(join(folder, `${part}.json`)));
  return Object.fromEntries(
    there.map((part) => [part, JSON.parse(readFileSync(join(folder, `${part}.json`), 'utf8'))]),
  );
}

/** Writes the samples of one part over those of an earlier run. */
export function writePart(out: string, part: Drawn, samples: unknown): void {
  const folder = resultsIn(out);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${part}.json`), `${compactJson(samples)}\n`);
}

/** How a report is to look. */
export interface Style {
  readonly heading: Heading;
  readonly formats: readonly Format[];
}

const PLAIN: Style = { heading: HEADING, formats: ['svg'] };

/**
 * Draws the report of those samples over the earlier one. Resolves with the doubts about them.
 * @param from is the folder that the samples are from.
 */
export async function writeReport(results: Results, out: string, style = PLAIN, from = out): Promise<string[]> {
  const folder = reportsIn(out);
  const slides = join(folder, 'slides');
  for (const one of [folder, slides]) {
    mkdirSync(one, { recursive: true });
    removeCharts(one);
  }
  const figures = figuresOf(results);
  const doubts = findDoubts(results);
  for (const { name, heading, finding, specification, slide = specification } of figures) {
    const words = { title: heading, finding, notes: notesFor(name, doubts) };
    writeFileSync(join(folder, `${name}.svg`), await renderSvg(specification, words));
    writeFileSync(join(slides, `${name}.svg`), await renderSvg(slide, words, 'slide'));
    for (const one of [folder, slides]) convert(join(one, `${name}.svg`), style.formats);
  }
  const report = {
    heading: style.heading,
    results,
    samples: relative(folder, resultsIn(from)),
    figures: figures.map((one) => ({ ...one, file: `${one.name}.svg`, slide: `slides/${one.name}.svg` })),
    doubts: doubtsAbout(results),
  };
  writeFileSync(join(folder, 'index.html'), reportPage(report));
  writeFileSync(join(folder, 'README.md'), reportMarkdown(report));
  return report.doubts;
}

// Removes the charts of an earlier report, in whatever format they are, and nothing else.
function removeCharts(folder: string): void {
  const names = readdirSync(folder);
  for (const name of names) {
    if (['.svg', '.png', '.pdf'].includes(parse(name).ext) && names.includes(`${parse(name).name}.svg`)) {
      rmSync(join(folder, name));
    }
  }
}

// Puts lists of plain values on one line each, so that files of samples can be read and compared.
function compactJson(value: unknown): string {
  return JSON.stringify(value, undefined, 1).replaceAll(/\[[^[\]{}]*\]|\{[^[\]{}]*\}/g, (plain) =>
    plain.replaceAll(/\s*\n\s*/g, ' '),
  );
}

/** The options that `readStyle` reads, for `parseArgs`. */
export const STYLE_OPTIONS = {
  title: { type: 'string' },
  names: { type: 'string' },
  format: { type: 'string' },
} as const;

/** What these options ask for. Throws with what is wrong about them, also if a program for a format is not there. */
export function readStyle({ title, names, format }: { title?: string; names?: string; format?: string }): Style {
  const given = (names ?? '').split(',').map((name) => name.trim());
  return {
    heading: { title: title ?? HEADING.title, names: given.filter((name) => name !== '') },
    formats: format === undefined ? PLAIN.formats : readFormats(format),
  };
}

/** Which of `known` a list with commas between names. Throws if there is another among them. */
export function readParts<T extends string>(only: string, known: readonly T[]): T[] {
  const unknown = only.split(',').filter((part) => !known.includes(part as T));
  if (unknown.length > 0) throw new Error(`--only takes ${known.join(', ')}, not ${unknown.join(', ')}`);
  return known.filter((part) => only.split(',').includes(part));
}

interface Request {
  readonly from: string;
  readonly out: string;
  readonly parts: readonly Drawn[];
  readonly style: Style;
}

function readRequest(words: readonly string[]): Request | string {
  const { values } = parseArgs({
    args: [...words],
    options: {
      out: { type: 'string' },
      only: { type: 'string' },
      ...STYLE_OPTIONS,
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) return HELP;
  const from = values.out ?? WHOLE_OUT;
  const request = {
    from,
    out: values.out ?? (words.length === 0 ? WHOLE_OUT : PARTIAL_OUT),
    parts: values.only === undefined ? DRAWN : readParts(values.only, DRAWN),
    style: readStyle(values),
  };
  if (Object.keys(readResults(from, request.parts)).length > 0) return request;
  const of = values.only === undefined ? '' : ` of ${values.only}`;
  throw new Error(`there are no samples in ${relative('', resultsIn(from))}${of}: npm run bench takes some`);
}

/**
 * Draws the report of the samples in a folder, and prints the doubts about them and what they say.
 * @param parts are those that it is about.
 */
export async function drawReport(
  out: string,
  { from = out, parts = DRAWN, style = PLAIN }: Partial<Request> = {},
): Promise<void> {
  const results = readResults(from, parts);
  for (const doubt of await writeReport(results, out, style, from)) console.log(`doubt: ${doubt}`);
  for (const table of tablesOf(results)) if (!table.isLong) console.log(`\n${textOf(table)}`);
  console.log('');
}

async function drawAnew(request: Request): Promise<void> {
  await drawReport(request.out, request);
  console.log(`report: ${pageIn(request.out)}`);
}

if (import.meta.main) await runCommand('report', readRequest, drawAnew);
