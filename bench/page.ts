// The page of a report, as HTML and as the Markdown that GitHub shows: every chart with what was found and an
// explanation, the figures as tables, the doubts, and what was measured where. Pure: links to nothing elsewhere.

import { escapeXml } from './charts/render.ts';
import type { Environment, Results } from './samples.ts';
import { type Table, tablesOf } from './tables.ts';

export interface ShownFigure {
  readonly file: string;
  /** The same in the shape of a slide. */
  readonly slide: string;
  readonly heading: string;
  readonly finding: string;
  readonly text: string;
}

/** What a report is headed with. */
export interface Heading {
  readonly title: string;
  /** Of those who hand it in; may be empty. */
  readonly names: readonly string[];
}

export const HEADING: Heading = { title: 'What was measured', names: [] };

export interface Report {
  readonly heading: Heading;
  readonly results: Results;
  /** Where the samples are, seen from the page. */
  readonly samples: string;
  readonly figures: readonly ShownFigure[];
  readonly doubts: readonly string[];
}

const HOW = ['npm run bench', ' measures, ', 'npm run report', ' draws this page anew from the samples.'] as const;
const NO_DOUBT = 'Nothing about this run speaks against it.';
const ENVIRONMENT_COLUMNS = ['part', 'when', 'commit', 'machine', 'versions', 'samples'];

// Text is as wide as can be read, charts are as wide as there is room for, and what is wider scrolls by itself.
const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1280px; margin: 2rem auto; padding: 0 1rem;
  background: light-dark(#ffffff, #0d1117); color: light-dark(#1f2328, #e6edf3); }
body > p, details { max-width: 860px; }
img { width: 100%; height: auto; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
.finding { font-weight: 600; }
details { border-left: 4px solid light-dark(#57606a, #a3acb6); padding: 0.2rem 1rem; margin-top: 2.5rem; }
summary { font-weight: 600; cursor: pointer; }
.table { overflow-x: auto; } .figures td + td { white-space: nowrap; }
table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 1rem 0.3rem 0; border-bottom: 1px solid light-dark(#d8dee4, #30363d); }
code { font-size: 0.85rem; overflow-wrap: anywhere; }
td code { overflow-wrap: normal; }
a { color: light-dark(#0969da, #4aa8e8); }`;

export function reportPage({ heading: { title, names }, results, samples, figures, doubts }: Report): string {
  const [measures, then, draws, anew] = HOW;
  const environments = environmentRows(results).map(({ part, cells }) => {
    const link = `<a href="${escapeXml(samples)}/${part}.json">${part}.json</a>`;
    return row([...cells.map(escapeXml), link]);
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeXml(title)}: ringmaster</title>
<style>${STYLE}
</style>
<h1>${escapeXml(title)}</h1>
${names.length === 0 ? '' : `<p>${escapeXml(names.join(', '))}</p>\n`}<p><code>${measures}</code>${then}<code>${draws}</code>${anew}</p>
${figures.map(section).join('\n')}
${tablesOf(results).map(tableSection).join('\n')}
${doubtsBox(doubts)}
<h2>With what</h2>
${table(ENVIRONMENT_COLUMNS, environments)}
</html>
`;
}

function section({ file, slide, heading, finding, text }: ShownFigure): string {
  return `<h2>${escapeXml(heading)}</h2>
<p class="finding">${escapeXml(finding)}</p>
<a href="${file}"><img src="${file}" alt="${escapeXml(`${heading}: ${finding}`)}"></a>
<p>${escapeXml(text)} <a href="${slide}">As a slide.</a></p>`;
}

function tableSection({ heading, text, columns, rows, isLong }: Table): string {
  const cell = (value: string, at: number) =>
    isLong && at !== 1 ? `<code>${escapeXml(value)}</code>` : escapeXml(value);
  const written = rows.map((cells) => row(cells.map(cell)));
  return `<h2>${escapeXml(heading)}</h2>
${text === '' ? '' : `<p>${escapeXml(text)}</p>\n`}${table(columns, written, isLong ? '' : ' figures')}`;
}

function table(columns: readonly string[], rows: readonly string[], more = ''): string {
  const head = columns.map((column) => `<th>${escapeXml(column)}</th>`).join('');
  // With a tabindex, so that it can be scrolled by the keyboard too.
  return `<div class="table${more}" tabindex="0"><table>\n<tr>${head}</tr>\n${rows.join('\n')}\n</table></div>`;
}

function row(cells: readonly string[]): string {
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
}

function doubtsBox(doubts: readonly string[]): string {
  if (doubts.length === 0) return `<p>${NO_DOUBT}</p>`;
  const items = doubts.map((doubt) => `<li>${escapeXml(doubt)}</li>`);
  return `<details><summary>Doubts: ${doubts.length}</summary><ul>\n${items.join('\n')}\n</ul></details>`;
}

function environmentRows(results: Results): { part: string; cells: string[] }[] {
  return Object.entries(results).map(([part, { environment }]) => ({ part, cells: cellsOf(part, environment) }));
}

function cellsOf(part: string, environment: Environment): string[] {
  const { startedAt, commit, changed, processor, cores, memoryBytes, system, versions, runtime, quick } = environment;
  const memory = `${Math.round(memoryBytes / 2 ** 30)} GiB`;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${part}${quick ? ', quick' : ''}, replicas by ${runtime}`,
    startedAt.slice(0, 16).replace('T', ' '),
    `${commit}${changed ? ' and changes' : ''}`,
    `${processor}, ${cores} cores, ${memory}, ${system}`,
    named.join(', '),
  ];
}

/** The same page as Markdown. */
export function reportMarkdown({ heading: { title, names }, results, samples, figures, doubts }: Report): string {
  const [measures, then, draws, anew] = HOW;
  const environments = environmentRows(results).map(({ part, cells }) => {
    return [...cells.map(escapeMarkdown), `[${part}.json](${samples}/${part}.json)`];
  });
  const blocks = [
    `# ${escapeMarkdown(title)}`,
    ...(names.length === 0 ? [] : [escapeMarkdown(names.join(', '))]),
    `\`${measures}\`${then}\`${draws}\`${anew}`,
    ...figures.flatMap(({ file, slide, heading, finding, text }) => [
      `## ${escapeMarkdown(heading)}`,
      `**${escapeMarkdown(finding)}**`,
      `![${escapeMarkdown(`${heading}: ${finding}`)}](${file})`,
      `${escapeMarkdown(text)} [As a slide.](${slide})`,
    ]),
    ...tablesOf(results).flatMap(({ heading, text, columns, rows }) => [
      `## ${escapeMarkdown(heading)}`,
      ...(text === '' ? [] : [escapeMarkdown(text)]),
      markdownTable(
        columns,
        rows.map((cells) => cells.map(escapeMarkdown)),
      ),
    ]),
    ...(doubts.length === 0
      ? [NO_DOUBT]
      : [
          `<details><summary>Doubts: ${doubts.length}</summary>`,
          doubts.map((doubt) => `- ${escapeMarkdown(doubt)}`).join('\n'),
          '</details>',
        ]),
    '## With what',
    markdownTable(ENVIRONMENT_COLUMNS, environments),
  ];
  return `${blocks.join('\n\n')}\n`;
}

function markdownTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  return [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** Text is not taken for markup. */
function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|#&]/g, (mark) => `\\${mark}`);
}
