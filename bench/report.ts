// `npm run report`: draws everything anew from bench/results/ into bench/reports/, without running anything. The same samples give
// the same bytes.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderSvg } from './charts/render.ts';
import { figuresOf } from './figures.ts';
import { reportPage } from './page.ts';
import type { Results } from './samples.ts';
import { doubtsAbout } from './warnings.ts';

export const RESULTS = fileURLToPath(new URL('results', import.meta.url));
export const REPORTS = fileURLToPath(new URL('reports', import.meta.url));

const PARTS = ['spread', 'recovery', 'speed'] as const;
export type Part = (typeof PARTS)[number];

/** The parts that a folder has. */
export function readResults(folder: string): Results {
  const there = PARTS.filter((part) => existsSync(join(folder, `${part}.json`)));
  return Object.fromEntries(
    there.map((part) => [part, JSON.parse(readFileSync(join(folder, `${part}.json`), 'utf8'))]),
  );
}

/** Writes one part; what another run wrote there is replaced. */
export function writePart(folder: string, part: Part, samples: unknown): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${part}.json`), `${compactJson(samples)}\n`);
}

/** Draws the report of those samples, in place of what was there. Resolves with the doubts about them. */
export async function writeReport(results: Results, folder: string): Promise<string[]> {
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

// Lists of plain values on one line each, so that a file of samples can be read and compared.
function compactJson(value: unknown): string {
  return JSON.stringify(value, undefined, 1).replaceAll(/\[[^[\]{}]*\]|\{[^[\]{}]*\}/g, (plain) =>
    plain.replaceAll(/\s*\n\s*/g, ' '),
  );
}

if (import.meta.main) {
  const results = readResults(RESULTS);
  if (Object.keys(results).length === 0) {
    console.error('report: there are no samples in bench/results: npm run bench takes some');
    process.exitCode = 1;
  } else {
    for (const doubt of await writeReport(results, REPORTS)) console.log(`doubt: ${doubt}`);
    console.log('report: bench/reports/index.html');
  }
}
