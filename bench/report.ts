// `npm run report`: draws all charts again from bench/results/ into bench/reports/, or from and into the same folders
// of `--out DIR`, without running anything. The same samples give the same bytes.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { renderSvg } from './charts/render.ts';
import { runCommand } from './command.ts';
import { figuresOf } from './figures.ts';
import { reportPage } from './page.ts';
import type { Results } from './samples.ts';
import { doubtsAbout } from './warnings.ts';

const HELP = `Usage: npm run report -- [--out DIR]

Draws the samples in bench/results, or in DIR/results, anew into bench/reports, or DIR/reports.
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
// The soak takes an hour, so it is run by a command of its own.
const DRAWN = [...PARTS, 'soak'] as const;

/** Reads the samples of all parts that were run. */
export function readResults(out: string): Results {
  const folder = resultsIn(out);
  const there = DRAWN.filter((part) => existsSync(join(folder, `${part}.json`)));
  return Object.fromEntries(
    there.map((part) => [part, JSON.parse(readFileSync(join(folder, `${part}.json`), 'utf8'))]),
  );
}

/** Writes the samples of one part over those of an earlier run. */
export function writePart(out: string, part: (typeof DRAWN)[number], samples: unknown): void {
  const folder = resultsIn(out);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${part}.json`), `${compactJson(samples)}\n`);
}

/** Draws the report of those samples over the earlier one. Resolves with the doubts about them. */
export async function writeReport(results: Results, out: string): Promise<string[]> {
  const folder = reportsIn(out);
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.endsWith('.svg')) rmSync(join(folder, name));
  const figures = figuresOf(results);
  for (const { name, heading, specification } of figures) {
    writeFileSync(join(folder, `${name}.svg`), await renderSvg(specification, heading));
  }
  const shown = figures.map(({ name, heading, text }) => ({ file: `${name}.svg`, heading, text }));
  const doubts = doubtsAbout(results);
  writeFileSync(join(folder, 'index.html'), reportPage(results, shown, doubts));
  return doubts;
}

// Puts lists of plain values on one line each, so that files of samples can be read and compared.
function compactJson(value: unknown): string {
  return JSON.stringify(value, undefined, 1).replaceAll(/\[[^[\]{}]*\]|\{[^[\]{}]*\}/g, (plain) =>
    plain.replaceAll(/\s*\n\s*/g, ' '),
  );
}

function readOut(words: readonly string[]): { out: string } | string {
  const options = { out: { type: 'string', default: WHOLE_OUT }, help: { type: 'boolean' } } as const;
  const { out, help } = parseArgs({ args: [...words], options }).values;
  if (help) return HELP;
  if (Object.keys(readResults(out)).length > 0) return { out };
  throw new Error(`there are no samples in ${relative('', resultsIn(out))}: npm run bench takes some`);
}

/** Draws the report of all samples that there are, and prints the doubts about them. */
export async function drawReport(out: string): Promise<void> {
  for (const doubt of await writeReport(readResults(out), out)) console.log(`doubt: ${doubt}`);
}

async function drawAnew({ out }: { readonly out: string }): Promise<void> {
  await drawReport(out);
  console.log(`report: ${pageIn(out)}`);
}

if (import.meta.main) await runCommand('report', readOut, drawAnew);
