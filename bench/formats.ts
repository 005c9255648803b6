// Charts in other formats than SVG, made by librsvg's rsvg-convert: it is one small package of every system, and keeps
// text and lines of a PDF as such. A browser could do it too, but it is large, and slow to start.

import { spawnSync } from 'node:child_process';
import { isInstalled } from './harness/peers.ts';

const FORMATS = ['svg', 'png', 'pdf'] as const;
export type Format = (typeof FORMATS)[number];

const CONVERTER = 'rsvg-convert';
const HOW_TO_GET = 'apt-get install librsvg2-bin on Debian and Ubuntu, brew install librsvg on macOS';
// Pixels of a PNG for each of the chart, so that it is sharp on a screen of any density.
const ZOOM = '2';

/** Reads a list such as `svg,png`. Throws if it names another format, or if what makes one of them is not installed. */
export function readFormats(list: string, hasConverter = () => isInstalled(CONVERTER)): Format[] {
  const words = list.split(',').map((word) => word.trim());
  const unknown = words.filter((word) => !FORMATS.includes(word as Format));
  if (unknown.length > 0) throw new Error(`--format takes ${FORMATS.join(', ')}, not ${unknown.join(', ')}`);
  const formats = FORMATS.filter((format) => words.includes(format));
  const made = formats.filter((format) => format !== 'svg');
  if (made.length > 0 && !hasConverter()) {
    throw new Error(`--format ${made.join(',')} needs ${CONVERTER}, which is not installed: ${HOW_TO_GET}`);
  }
  return formats;
}

/** Puts a chart beside its SVG in those formats. Throws with what the converter says if it cannot. */
export function convert(svg: string, formats: readonly Format[]): void {
  for (const format of formats) {
    if (format === 'svg') continue;
    const output = svg.replace(/svg$/, format);
    const { status, stderr, error } = spawnSync(
      CONVERTER,
      ['--format', format, ...(format === 'png' ? ['--zoom', ZOOM] : []), '--output', output, svg],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`${CONVERTER} made no ${format} of ${svg}: ${error?.message ?? stderr.trim()}`);
  }
}
