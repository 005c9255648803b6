// Writes metrics as Prometheus reads them: its text format 0.0.4, or OpenMetrics 1.0.0. The two differ in what the
// header of a counter or an info is called, and in how the text ends. Pure: it makes text of plain data, a piece at a
// time.
// Sources: https://prometheus.io/docs/instrumenting/exposition_formats/,
// https://prometheus.io/docs/specs/om/open_metrics_spec/.

export type Format = 'text' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Labels as they are written, without braces; made by `labels`. Empty for none. */
export type Labels = string;

/** One number with its labels. */
export type Sample = readonly [Labels, number];
/** One histogram: what is in each bucket alone, the last one without a bound, and the sum of all values. */
export type HistogramSample = readonly [Labels, { readonly buckets: ArrayLike<number>; readonly sum: number }];

/** A metric: its name without `_total` or `_info`, and what there is of it. */
export type Family<Facts> = {
  readonly name: string;
  /** One sentence. */
  readonly help: string;
  /** The names of its labels, but for `le`. */
  readonly by: readonly string[];
} & (
  | { readonly type: 'counter' | 'gauge' | 'info'; readonly samples: (facts: Facts) => Iterable<Sample> }
  | {
      readonly type: 'histogram';
      /** Upper bounds of the buckets but for the last one. */
      readonly bounds: readonly number[];
      readonly samples: (facts: Facts) => Iterable<HistogramSample>;
    }
);

const SUFFIXES = { counter: '_total', gauge: '', info: '_info', histogram: '' } as const;

/** The name that samples of a metric have; those of a histogram add to it. */
export function fullName({ name, type }: Pick<Family<never>, 'name' | 'type'>): string {
  return name + SUFFIXES[type];
}

/** The labels as they are written. Values may be any text. */
export function labels(values: Readonly<Record<string, string | number>>): Labels {
  return Object.entries(values)
    .map(([name, value]) => `${name}="${escaped(String(value))}"`)
    .join(',');
}

/** Both label sets together. */
export function joined(one: Labels, other: Labels): Labels {
  return one === '' || other === '' ? one + other : `${one},${other}`;
}

/** The whole text, in pieces of some hundred lines. Families without a sample are left out. */
export function* exposition<Facts>(
  families: readonly Family<Facts>[],
  facts: Facts,
  format: Format,
): Generator<string> {
  for (const family of families) {
    let piece = '';
    let lines = 0;
    for (const text of linesOf(family, facts)) {
      if (lines === 0) piece = headerOf(family, format);
      piece += text;
      lines += 1;
      if (lines % LINES_IN_PIECE > 0) continue;
      yield piece;
      piece = '';
    }
    if (piece !== '') yield piece;
  }
  if (format === 'openmetrics') yield '# EOF\n';
}

const LINES_IN_PIECE = 200;

function headerOf(family: Pick<Family<never>, 'name' | 'type' | 'help'>, format: Format): string {
  const isOpen = format === 'openmetrics';
  const name = isOpen ? family.name : fullName(family);
  const type = family.type === 'info' && !isOpen ? 'gauge' : family.type;
  const help = family.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function* linesOf<Facts>(family: Family<Facts>, facts: Facts): Generator<string> {
  const name = fullName(family);
  if (family.type === 'histogram') {
    const bounds = family.bounds.map((bound) => `le="${boundText(bound)}"`);
    for (const [own, sample] of family.samples(facts)) yield histogramLines(name, own, bounds, sample);
    return;
  }
  for (const [own, value] of family.samples(facts)) yield `${name}${inBraces(own)} ${numberText(value)}\n`;
}

function histogramLines(name: string, own: Labels, bounds: readonly Labels[], sample: HistogramSample[1]): string {
  let count = 0;
  let text = '';
  for (let bucket = 0; bucket <= bounds.length; bucket++) {
    count += sample.buckets[bucket] as number;
    text += `${name}_bucket${inBraces(joined(own, bounds[bucket] ?? 'le="+Inf"'))} ${count}\n`;
  }
  const braces = inBraces(own);
  return `${text}${name}_sum${braces} ${numberText(sample.sum)}\n${name}_count${braces} ${count}\n`;
}

function inBraces(own: Labels): string {
  return own === '' ? '' : `{${own}}`;
}

// OpenMetrics wants a point in a bound; both formats get it, so that their series are the same.
function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

// The attack: a name with a quote and a newline in it would begin a sample of its own (test/admin/metrics.test.ts).
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
