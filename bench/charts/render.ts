// Turns a Vega-Lite specification into SVG text, without a browser or a canvas. The same specification gives the same
// text.

import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { CONFIG, styleSheet } from './theme.ts';

/** A specification as the charts write it. Checking against Vega-Lite's own type would take half a minute. */
export type Specification = Readonly<Record<string, unknown>>;

// Without a canvas Vega takes a letter to be four fifths as wide as high, which would leave gaps.
const LETTER_WIDTH = 0.57;
const { textMetrics } = vega as unknown as { textMetrics: { width: unknown } };
textMetrics.width = (item: { fontSize?: number }, text: unknown) =>
  String(text ?? '').length * (item.fontSize ?? 12) * LETTER_WIDTH;

/** @param label is what a screen reader says. */
export async function renderSvg(specification: Specification, label: string): Promise<string> {
  const compiled = compile({ ...specification, config: CONFIG } as unknown as TopLevelSpec, { logger: silent });
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  const accessible = `<title>${escapeXml(label)}</title><style>${styleSheet()}</style>`;
  return `${svg.replace(/<svg([^>]*)>/, `<svg$1 role="img">${accessible}`)}\n`;
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
