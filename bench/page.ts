// The page of a report: first the doubts, then every chart with an explanation, then what was measured and where. Pure:
// makes HTML from its arguments alone and links to nothing elsewhere.

import { escapeXml } from './charts/render.ts';
import { brief, whole } from './charts/theme.ts';
import type { Environment, Results } from './samples.ts';
import { quantile } from './statistics.ts';
import { burstSummaries } from './summaries.ts';

export interface ShownFigure {
  readonly file: string;
  readonly heading: string;
  readonly text: string;
}

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 860px; margin: 2rem auto; padding: 0 1rem;
  background: light-dark(#ffffff, #0d1117); color: light-dark(#1f2328, #e6edf3); }
img { width: 100%; height: auto; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; }
aside { border-left: 4px solid #e69f00; padding: 0.2rem 1rem; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid light-dark(#d8dee4, #30363d); }
code { font-size: 0.85rem; overflow-wrap: anywhere; }
a { color: light-dark(#0969da, #4aa8e8); }`;

export function reportPage(results: Results, figures: readonly ShownFigure[], doubts: readonly string[]): string {
  const environments = Object.entries(results).map(([part, samples]) => row(part, samples.environment));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ringmaster: what was measured</title>
<style>${STYLE}
</style>
<h1>What was measured</h1>
<p><code>npm run bench</code> measures, <code>npm run report</code> draws this page anew from the samples.</p>
${doubtsBox(doubts)}
${figures.map(section).join('\n')}
${burstTable(results)}${plansTable(results)}${endpointTable(results)}
<h2>With what</h2>
<table>
<tr><th>part</th><th>when</th><th>commit</th><th>machine</th><th>versions</th><th>samples</th></tr>
${environments.join('\n')}
</table>
</html>
`;
}

function doubtsBox(doubts: readonly string[]): string {
  if (doubts.length === 0) return '<p>Nothing about this run speaks against it.</p>';
  const items = doubts.map((doubt) => `<li>${escapeXml(doubt)}</li>`);
  return `<aside><h2>Doubts</h2><ul>\n${items.join('\n')}\n</ul></aside>`;
}

function section({ file, heading, text }: ShownFigure): string {
  return `<h2>${escapeXml(heading)}</h2>
<p>${escapeXml(text)}</p>
<a href="${file}"><img src="${file}" alt="${escapeXml(heading)}"></a>`;
}

function burstTable({ speed }: Results): string {
  const [first] = speed?.bursts ?? [];
  if (first === undefined) return '';
  const rows = burstSummaries(speed?.bursts ?? []).map(({ contender, p50Ms, p99Ms, mostMs, errors }) => {
    const cells = [contender, ...[p50Ms, p99Ms, mostMs].map((ms) => brief(ms)), errors === 0 ? '' : `${errors}`];
    return `<tr>${cells.map((cell) => `<td>${escapeXml(cell)}</td>`).join('')}</tr>`;
  });
  return `<h2>Bursts</h2>
<p>${first.connections} connections that come at once, beside as many busy ones: ms until the first byte of the answer on each of the new ones.
Medians of the rounds, and the longest of all. It says how long who comes then has to wait, and depends on the load too: compare.</p>
<table>
<tr><th>contender</th><th>p50</th><th>p99</th><th>longest</th><th>not answered</th></tr>
${rows.join('\n')}
</table>
`;
}

function plansTable({ speed }: Results): string {
  const plans = speed?.plans ?? [];
  const [first] = plans;
  if (first === undefined) return '';
  const rows = plans.map(({ workers, changesMs, quietMs, longestMs, requests, errors }) => {
    const times = [quantile(changesMs, 0.5), quantile(changesMs, 1), quietMs, longestMs].map((ms) => brief(ms));
    const cells = [`${workers}`, ...times, whole(requests), errors === 0 ? '' : `${errors}`];
    return `<tr>${cells.map((cell) => `<td>${escapeXml(cell)}</td>`).join('')}</tr>`;
  });
  return `<h2>Changes among ${whole(first.replicas)} replicas</h2>
<p>One of ${whole(first.replicas)} replicas leaves and joins again, ${first.changesMs.length} changes in all, beside clients that ask one request after the other.
In ms: how long a change took until all requests went by it, and the longest that a request took in the second before and while changes were made.</p>
<table>
<tr><th>workers</th><th>change, median</th><th>longest</th><th>longest request before</th><th>meanwhile</th><th>requests</th><th>errors</th></tr>
${rows.join('\n')}
</table>
`;
}

function endpointTable({ recovery }: Results): string {
  if (recovery === undefined) return '';
  const rows = recovery.endpoints.map(
    ({ request, status, answer }) =>
      `<tr><td><code>${escapeXml(request)}</code></td><td>${status}</td><td><code>${escapeXml(answer)}</code></td></tr>`,
  );
  return `<h2>Every endpoint, on the way</h2>
<p>Before the load of A-3 each was called once, also with what has to be refused.</p>
<table>
<tr><th>request</th><th>status</th><th>answer</th></tr>
${rows.join('\n')}
</table>`;
}

function row(part: string, environment: Environment): string {
  const { startedAt, commit, changed, processor, cores, memoryBytes, system, versions, runtime, quick } = environment;
  const memory = `${Math.round(memoryBytes / 2 ** 30)} GiB`;
  const cells = [
    `${part}${quick ? ', quick' : ''}, replicas by ${runtime}`,
    startedAt.slice(0, 16).replace('T', ' '),
    `${commit}${changed ? ' and changes' : ''}`,
    `${processor}, ${cores} cores, ${memory}, ${system}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
  ];
  const link = `<td><a href="../results/${part}.json">${part}.json</a></td>`;
  return `<tr>${cells.map((cell) => `<td>${escapeXml(cell)}</td>`).join('')}${link}</tr>`;
}
