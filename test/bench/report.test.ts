import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readResults, WHOLE_OUT, writePart, writeReport } from '../../bench/report.ts';
import { recovery, speed, spread } from './samples.ts';

async function draw(results: Parameters<typeof writeReport>[0]): Promise<Record<string, string>> {
  const out = mkdtempSync(join(tmpdir(), 'ringmaster-report-'));
  try {
    await writeReport(results, out);
    return reportIn(out);
  } finally {
    rmSync(out, { recursive: true });
  }
}

function reportIn(out: string): Record<string, string> {
  const folder = join(out, 'reports');
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

const files = await draw({ spread, recovery, speed });

t.test('every part gives its charts, and the page shows each of them', async (t) => {
  t.same(Object.keys(files).sort(), [
    'a1-spread.svg',
    'a2-scale.svg',
    'a3-recovery.svg',
    'a4-rings.svg',
    'a4-scale.svg',
    'a4-spread.svg',
    'index.html',
    'speed-workers.svg',
    'speed.svg',
  ]);
  for (const name of Object.keys(files).filter((one) => one.endsWith('.svg'))) {
    t.match(files['index.html'], `<img src="${name}"`);
  }
});

t.test('the same samples give the same bytes', async (t) => {
  t.same(await draw({ spread, recovery, speed }), files);
});

t.test('samples come back from their file as they went in, and draw the same', async (t) => {
  const folder = t.testdir();
  writePart(folder, 'spread', spread);
  writePart(folder, 'recovery', recovery);
  writePart(folder, 'speed', speed);
  t.same(readResults(folder), { spread, recovery, speed });
});

t.test('A-1 has a bar for each replica, its number on it, and what was computed below the title', async (t) => {
  const svg = files['a1-spread.svg'] ?? '';
  t.equal(svg.split('aria-roledescription="bar"').length - 1, 3);
  for (const label of ['3,334', '3,333', 'max/mean 1.000, standard deviation 0.47']) t.match(svg, label);
});

t.test('A-2 has a dot for each replica at each number of them', async (t) => {
  // The runs have two and three dots, and the panel on the right has one for each run.
  t.equal((files['a2-scale.svg'] ?? '').split('aria-roledescription="circle"').length - 1, 2 + 3 + 2);
});

t.test('A-4 shows every hash, with an arc and a mark for each virtual node', async (t) => {
  for (const hash of ['even', 'quadratic']) t.match(files['a4-spread.svg'], `>${hash}<`);
  t.match(files['a4-spread.svg'], 'max/mean 2.40');
  const nodes = spread.runs.filter((run) => run.replicas === 3 && !run.bounded).flatMap((run) => run.points);
  t.equal((files['a4-rings.svg'] ?? '').split('aria-roledescription="arc mark"').length - 1, nodes.length * 2);
});

t.test('A-3 tells what failed and when the fault was found out', async (t) => {
  const svg = files['a3-recovery.svg'] ?? '';
  for (const text of ['1 of 40 requests failed', 'after 50 ms', 'after 300 ms: server_new', 'after 250 ms']) {
    t.match(svg, text);
  }
});

t.test('the speed chart says where we lose', async (t) => {
  t.match(files['speed.svg'], 'ringmaster loses: it costs 1.10 times nginx');
  t.match(files['speed.svg'], '>1,981<');
});

t.test('every chart has a dark side, and no text of it is cut off', async (t) => {
  for (const [name, svg] of Object.entries(files).filter(([name]) => name.endsWith('.svg'))) {
    t.match(svg, '@media (prefers-color-scheme:dark)', name);
    t.notMatch(svg, /…<\/text>/, name);
  }
});

t.test('what a replica answered is text on the page, not markup', async (t) => {
  t.match(files['index.html'], '{&quot;message&quot;:&quot;&lt;b&gt;&quot;}');
});

t.test('doubts stand above the charts', async (t) => {
  const page = (await draw({ spread: { ...spread, environment: { ...spread.environment, quick: true } } }))[
    'index.html'
  ];
  t.ok((page ?? '').indexOf('a quick run') < (page ?? '').indexOf('<img'));
  t.match(files['index.html'], 'Nothing about this run speaks against it');
});

t.test('the committed report is the one of the committed samples', async (t) => {
  t.same(await draw(readResults(WHOLE_OUT)), reportIn(WHOLE_OUT));
});

t.test('a report takes the place of the one before, charts included, and only that', async (t) => {
  const out = t.testdir({ reports: { 'speed.svg': 'old', 'notes.txt': 'mine' } });
  await writeReport({ recovery }, out);
  t.same(Object.keys(reportIn(out)).sort(), ['a3-recovery.svg', 'index.html', 'notes.txt']);
});

t.test('what stands in a doubt is text on the page, not markup', async (t) => {
  const files = await draw({ speed: { ...speed, wrong: { '<i>': 'a & b' } } });
  t.match(files['index.html'], 'speed: &lt;i&gt; was not timed: a &amp; b.');
});
