// Turns a Vega-Lite specification into SVG text, without a browser or a canvas. The same specification gives the same
// text.

import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { brokenInto, COLOURS, CONFIG, FONT, styleSheet } from './theme.ts';

/** A specification as the charts write it. Checking against Vega-Lite's own type would take half a minute. */
export type Specification = Readonly<Record<string, unknown>>;

// Without a canvas Vega takes a letter to be four fifths as wide as high, which would leave gaps.
const LETTER_WIDTH = 0.57;
const { textMetrics } = vega as unknown as { textMetrics: { width: unknown } };
textMetrics.width = (item: { fontSize?: number }, text: unknown) =>
  String(text ?? '').length * (item.fontSize ?? 12) * LETTER_WIDTH;

/** What stands beside the drawing itself. */
export interface Words {
  readonly title: string;
  /** What the chart shows, in a sentence or two: for who cannot see it. */
  readonly finding: string;
  /** Doubts about the chart, which are written below it. */
  readonly notes: readonly string[];
}

/** As wide as a page and as high as it gets, or in the shape of a slide. */
export type Shape = 'page' | 'slide';

const NOTE_SIZE = 12;
const NOTE_LINE = 17;
const MARGIN = 16;
const SLIDE = { width: 1280, height: 720 };

/** The drawing as the text of an SVG. */
export async function renderSvg(specification: Specification, words: Words, shape: Shape = 'page'): Promise<string> {
  const compiled = compile({ ...specification, config: CONFIG } as unknown as TopLevelSpec, { logger: silent });
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  const [, width = '', height = '', inside = ''] =
    /^<svg[^>]* width="([^"]*)" height="([^"]*)"[^>]*>(.*)<\/svg>\s*$/s.exec(svg) ?? [];
  const size = { width: Number(width), height: Number(height) };
  const lines = wrapped(words.notes, Math.floor((size.width - 2 * MARGIN) / (NOTE_SIZE * LETTER_WIDTH)));
  const notesHeight = lines.length === 0 ? 0 : lines.length * NOTE_LINE + MARGIN;
  const whole = { width: size.width, height: size.height + notesHeight };
  const paper = shape === 'page' ? whole : slideAround(whole);
  const [left, top] = [(whole.width - paper.width) / 2, (whole.height - paper.height) / 2];
  const shown = shape === 'page' ? whole : SLIDE;
  const notes = lines.map((line, index) => {
    const y = size.height + (index + 0.5) * NOTE_LINE;
    return `<text x="${MARGIN}" y="${y}" fill="${COLOURS.muted}" font-family='${FONT}' font-size="${NOTE_SIZE}px">${escapeXml(line)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="${shown.width}" height="${shown.height}" `,
    `viewBox="${left} ${top} ${paper.width} ${paper.height}" role="img">`,
    `<title>${escapeXml(words.title)}</title><desc>${escapeXml([words.finding, ...words.notes].join(' '))}</desc>`,
    `<style>${styleSheet()}</style>`,
    `<rect x="${left}" y="${top}" width="${paper.width}" height="${paper.height}" fill="${COLOURS.paper}"/>`,
    inside.replace(/^<rect [^>]*\/>/, ''),
    `${notes.join('')}</svg>\n`,
  ].join('');
}

// The smallest paper in the shape of a slide that it fits on.
function slideAround({ width, height }: { width: number; height: number }): { width: number; height: number } {
  const factor = Math.max(width / SLIDE.width, height / SLIDE.height);
  return { width: round(SLIDE.width * factor), height: round(SLIDE.height * factor) };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function wrapped(notes: readonly string[], longest: number): string[] {
  return notes.flatMap((note) => brokenInto(`Doubt: ${note}`, longest));
}

/** Escapes text for XML and HTML. */
export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

const ignore = () => silent;
const silent = {
  level: ignore,
  warn: ignore,
  info: ignore,
  debug: ignore,
  error: (...reasons: readonly unknown[]) => {
    throw new Error(`a chart cannot be drawn: ${reasons.join(' ')}`);
  },
} as never;
