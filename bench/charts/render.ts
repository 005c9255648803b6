// From a Vega-Lite specification to SVG text: no browser, no canvas. The same specification gives the same text.

import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import { CONFIG, styleSheet } from './theme.ts';

/** A specification as the charts write it. Vega-Lite's own type takes half a minute to check against. */
export type Specification = Readonly<Record<string, unknown>>;

// Without a canvas Vega guesses that letters are as wide as four fifths of their height, and leaves gaps.
const LETTER_WIDTH = 0.57;
const { textMetrics } = vega as unknown as { textMetrics: { width: unknown } };
textMetrics.width = (item: { fontSize?: number }, text: unknown) =>
  String(text ?? '').length * (item.fontSize ?? 12) * LETTER_WIDTH;

/** @param label what a screen reader says. */
export async function renderSvg(specification: Specification, label: string): Promise<string> {
  const compiled = compile({ ...specification, config: CONFIG } as unknown as TopLevelSpec, { logger: silent });
  const view = new vega.View(vega.parse(compiled.spec), { renderer: 'none' });
  const svg = await view.toSVG();
  view.finalize();
  const accessible = `<title>${escapeXml(label)}</title><style>${styleSheet()}</style>`;
  return `${svg.replace(/<svg([^>]*)>/, `<svg$1 role="img">${accessible}`)}\n`;
}

/** Text as XML and HTML take it. */
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
