// Which format a scraper gets, by its Accept field (RFC 9110, 12.5.1): OpenMetrics if it wants that more than plain
// text, else the text format, which everybody can read.

import type { Format } from './exposition.ts';

export function formatFor(accept: string | undefined): Format {
  let open = 0;
  let text = 0;
  for (const range of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const weight = weightOf(parameters);
    if (type === 'application/openmetrics-text' && isKnownVersion(parameters)) open = Math.max(open, weight);
    if (type === 'text/plain' || type === 'text/*' || type === '*/*') text = Math.max(text, weight);
  }
  return open > 0 && open >= text ? 'openmetrics' : 'text';
}

function weightOf(parameters: readonly string[]): number {
  const written = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
  const weight = Number(written);
  return weight >= 0 && weight <= 1 ? weight : 0;
}

// Without a version any will do.
function isKnownVersion(parameters: readonly string[]): boolean {
  const version = parameters.find((parameter) => parameter.startsWith('version='))?.slice(8);
  return version === undefined || version === '1.0.0';
}
