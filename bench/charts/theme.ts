// How all charts look: colours that colour-blind people can tell apart (after Okabe and Ito), each with a counterpart
// for dark pages, and Vega-Lite's settings. What a chart shows is up to its own file.

/**
 * Colours by meaning: each has one, in all charts. What is a mean, a limit or a moment is drawn in ink. The light one
 * is written into the chart, its dark counterpart into the style sheet of the SVG.
 */
export const COLOURS = {
  paper: '#ffffff',
  ink: '#1f2328',
  muted: '#57606a',
  grid: '#d8dee4',
  /** Others that we are compared with. */
  plain: '#9aa4af',
  /** This program, among others. */
  ours: '#d55e00',
  /** What was measured, where nothing is compared. */
  measured: '#0072b2',
  late: '#e69f00',
  failed: '#b3003c',
  fine: '#cfd6dd',
  /** Turned away with a 503. */
  shed: '#44aa99',
  /** A reply that was seen to break off. */
  cut: '#cc79a7',
  /** What is wrong, and does not show. */
  garbled: '#8c6d31',
} as const;

const DARK: Readonly<Record<string, string>> = {
  [COLOURS.paper]: '#0d1117',
  [COLOURS.ink]: '#e6edf3',
  [COLOURS.muted]: '#a3acb6',
  [COLOURS.grid]: '#30363d',
  [COLOURS.plain]: '#6e7883',
  [COLOURS.ours]: '#ff8838',
  [COLOURS.measured]: '#3b8fd9',
  [COLOURS.failed]: '#ff5c8a',
  [COLOURS.fine]: '#4a535d',
  '#332288': '#8f80f0',
  '#117733': '#3fa866',
  '#aa4499': '#d07fc4',
  '#661100': '#b5705c',
};

/**
 * Colours of replicas, in the order in which they joined: those of Paul Tol's "muted" scheme that are unlike the ones
 * above. No more than these seven can be told apart.
 */
export const REPLICA_COLOURS = ['#332288', '#88ccee', '#ddcc77', '#117733', '#aa4499', '#999933', '#661100'] as const;

/** The fonts of all text. */
export const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';

/** Vega-Lite's `config` for every chart. */
export const CONFIG = {
  background: COLOURS.paper,
  font: FONT,
  padding: 16,
  view: { stroke: null },
  title: {
    anchor: 'start',
    frame: 'group',
    color: COLOURS.ink,
    fontSize: 16,
    fontWeight: 600,
    subtitleColor: COLOURS.muted,
    subtitleFontSize: 12,
    subtitleLineHeight: 16,
    subtitlePadding: 6,
    offset: 14,
    limit: 0,
  },
  axis: {
    labelColor: COLOURS.muted,
    titleColor: COLOURS.muted,
    titleFontWeight: 400,
    titleFontSize: 12,
    labelFontSize: 12,
    labelLimit: 0,
    titlePadding: 10,
    domainColor: COLOURS.grid,
    tickColor: COLOURS.grid,
    gridColor: COLOURS.grid,
  },
  legend: { labelColor: COLOURS.ink, titleColor: COLOURS.muted, labelFontSize: 12, labelLimit: 0, orient: 'top' },
  text: { color: COLOURS.ink, fontSize: 12 },
} as const;

/** A label that lines do not run through: on a border in the colour of the paper. */
export function label(mark: object, encoding: object): { readonly mark: object; readonly encoding: object }[] {
  const text = { type: 'text', color: COLOURS.ink, ...mark };
  return [
    { mark: { ...text, stroke: COLOURS.paper, strokeWidth: 4, strokeJoin: 'round', aria: false }, encoding },
    { mark: text, encoding },
  ];
}

/** The rules that replace light colours by dark ones on a dark page. */
export function styleSheet(): string {
  const rules = Object.entries(DARK).flatMap(([light, dark]) => [
    `[fill="${light}"]{fill:${dark}}`,
    `[stroke="${light}"]{stroke:${dark}}`,
  ]);
  return `@media (prefers-color-scheme:dark){${rules.join('')}}`;
}

/** Breaks sentences into the lines below a title, none wider than the chart. */
export function subtitle(...sentences: readonly string[]): string[] {
  return sentences.flatMap((sentence) => brokenInto(sentence, LONGEST_LINE));
}

/** Breaks a text into lines of at most that many letters. */
export function brokenInto(text: string, longest: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length >= longest) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

const LONGEST_LINE = 105;

/** The name of a hash; for a user's own, the name of its file. */
export function hashName(hash: string): string {
  return hash.slice(hash.lastIndexOf('/') + 1);
}

/** Formats 12345.6 as `12,346`. */
export function whole(value: number): string {
  return Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** Formats with at most three significant digits: 0.12, 1.23, 12.3, 123, 1,230. */
export function brief(value: number): string {
  return value >= 100 ? whole(value) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Formats processor time in µs or ms. */
export function micros(value: number): string {
  return value < 1000 ? `${brief(value)} µs` : `${brief(value / 1000)} ms`;
}

/** Formats a ratio to the mean, or to another value. */
export function times(ratio: number, digits = 2): string {
  return `${ratio.toFixed(digits)} ×`;
}

/** Formats a time in ms or s. */
export function duration(ms: number): string {
  return ms < 1000 ? `${whole(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Formats the size of a body in whole KiB or MiB. */
export function size(bytes: number): string {
  return bytes >= 2 ** 20 ? `${bytes / 2 ** 20} MiB` : `${bytes / 2 ** 10} KiB`;
}
