import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import t from 'tap';
import { COLOURS, REPLICA_COLOURS } from '../../bench/charts/theme.ts';
import { readFormats } from '../../bench/formats.ts';
import { unlessInstalled } from '../../bench/harness/peers.ts';
import { HEADING } from '../../bench/page.ts';
import { readParts, readResults, readStyle, WHOLE_OUT, writePart, writeReport } from '../../bench/report.ts';
import { tablesOf, textOf } from '../../bench/tables.ts';
import { environment, recovery, speed, spread } from './samples.ts';

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
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => extname(name) !== '');
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

const files = await draw({ spread, recovery, speed });

t.test('every part gives its charts, and the page shows each of them', async (t) => {
  const charts = [
    'a1-spread.svg',
    'a2-scale.svg',
    'a3-recovery.svg',
    'a4-rings.svg',
    'a4-scale.svg',
    'a4-spread.svg',
    'speed-workers.svg',
    'speed.svg',
  ];
  t.same(
    Object.keys(files).sort(),
    ['README.md', ...charts, 'index.html', ...charts.map((name) => `slides/${name}`)].sort(),
  );
  for (const name of charts) {
    t.match(files['index.html'], `<img src="${name}"`);
    t.match(files['index.html'], `<a href="slides/${name}"`);
    t.match(files['README.md'], `](${name})`);
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
  for (const label of ['3,334 (33.3 %)', '3,333', 'got 1.000 × the mean; standard deviation 0.47']) t.match(svg, label);
});

t.test('A-2 has a dot for each replica at each number of them', async (t) => {
  // The runs have two and three dots, and the panel on the right has one for each run.
  t.equal((files['a2-scale.svg'] ?? '').split('aria-roledescription="circle"').length - 1, 2 + 3 + 2);
});

t.test('A-4 shows every hash, with an arc and a mark for each virtual node', async (t) => {
  for (const hash of ['even', 'quadratic']) t.match(files['a4-spread.svg'], `>${hash}<`);
  t.match(files['a4-spread.svg'], 'busiest: 2.40 × mean');
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
  t.match(files['speed.svg'], '>1.98 ms<');
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

t.test(
  'every chart has a title and what was found, a slide the shape of one, and no colour two meanings',
  async (t) => {
    for (const [name, svg] of Object.entries(files).filter(([name]) => name.endsWith('.svg'))) {
      t.match(svg, /<title>[^<]+<\/title><desc>[^<]{20,}<\/desc>/, name);
      if (name.startsWith('slides/')) t.match(svg, 'width="1280" height="720"', name);
    }
    t.match(
      files['a3-recovery.svg'],
      '<desc>1 of 40 requests failed; 1 waited for more than 100 ms, the longest 150 ms.',
    );
    const { paper: _, ink: _ink, ...meanings } = COLOURS;
    const all = [...Object.values(meanings), ...REPLICA_COLOURS];
    t.equal(new Set(all).size, all.length);
  },
);

t.test('doubts are folded below the results, and stand in those pictures that they concern', async (t) => {
  const quick = { ...environment, quick: true };
  const files = await draw({ spread: { ...spread, environment: quick }, recovery });
  const page = files['index.html'] ?? '';
  t.ok(page.indexOf('a quick run') > page.indexOf('<details>') && page.indexOf('<details>') > page.lastIndexOf('<img'));
  t.match(files['README.md'], /<details>.*\n\n- spread: a quick run/);
  t.match(files['a1-spread.svg'], '>Doubt: a quick run, with few samples.</text>');
  t.notMatch(files['a3-recovery.svg'], 'Doubt:');
  t.match((await draw({ spread }))['index.html'], 'Nothing about this run speaks against it');
});

t.test('where the load stalled the chart says so, and a removal is no fault', async (t) => {
  const requests = recovery.requests.filter(([, sentMs]) => sentMs < 2000 || sentMs > 2800);
  const faults = recovery.faults.map((fault) => ({ ...fault, kind: 'rm' as const }));
  const svg = (await draw({ recovery: { ...recovery, requests, faults } }))['a3-recovery.svg'] ?? '';
  t.match(svg, 'Hatched: the load itself stalled');
  t.match(svg, '>Doubt: the load itself stalled, for 1000 ms at most.<');
  const rules = (text: string) => text.split('aria-roledescription="rule mark"').length - 1;
  t.equal(rules(svg) - rules(files['a3-recovery.svg'] ?? ''), 2 * Math.ceil(1000 / 15), 'in both panels');
  t.match(svg, 'seconds from the removal');
  t.notMatch(svg, 'from the fault');
});

t.test('figures are in tables too, in the page and for a terminal', async (t) => {
  const [spreadTable, recoveryTable, speedTable] = tablesOf({ spread, recovery, speed });
  t.equal(
    textOf(spreadTable as NonNullable<typeof spreadTable>),
    [
      'Spread: what the busiest replica got, × mean',
      '  hash             N = 2    N = 3',
      '  -------------  -------  -------',
      '  even           1.000 ×  1.000 ×',
      '  quadratic      1.900 ×  2.400 ×',
      '  even, bounded           1.020 ×',
    ].join('\n'),
  );
  t.same(recoveryTable?.rows, [['killed', '50 ms', '250 ms', '300 ms', '35', '1', '1', '150 ms']]);
  t.same(speedTable?.rows[0], ['nginx', '901 µs', '900 … 902 µs', '1k/s', '0.50 ms', '1.00 ms', '2.00 ms']);
  t.match(files['index.html'], '<tr><td>quadratic</td><td>1.900 ×</td>');
  t.match(files['README.md'], '| quadratic | 1.900 × | 2.400 × |');
});

t.test('a report can have a title, names and other formats, and says what these need', async (t) => {
  const { heading } = readStyle({ title: 'Assignment <1>', names: 'A, B,,C' });
  t.same(heading, { title: 'Assignment <1>', names: ['A', 'B', 'C'] });
  const out = t.testdir();
  await writeReport({ spread }, out, { heading, formats: ['svg'] });
  t.match(reportIn(out)['index.html'], /<h1>Assignment &lt;1&gt;<\/h1>\n<p>A, B, C<\/p>/);
  t.match(reportIn(out)['README.md'], /^# Assignment \\<1\\>\n\nA, B, C\n/);
  t.same(
    readFormats('png, svg', () => true),
    ['svg', 'png'],
  );
  t.throws(() => readFormats('gif'), { message: '--format takes svg, png, pdf, not gif' });
  t.throws(() => readFormats('svg,pdf', () => false), {
    message: /^--format pdf needs rsvg-convert, which is not installed: apt-get install librsvg2-bin/,
  });
  t.same(
    readFormats('svg', () => false),
    ['svg'],
    'SVG needs nothing',
  );
});

t.test('a chart becomes PNG and PDF', { skip: unlessInstalled('rsvg-convert') }, async (t) => {
  const out = t.testdir();
  await writeReport({ recovery }, out, { heading: HEADING, formats: ['svg', 'png', 'pdf'] });
  for (const folder of ['reports', 'reports/slides']) {
    t.equal(
      readFileSync(join(out, folder, 'a3-recovery.png'))
        .subarray(1, 4)
        .toString(),
      'PNG',
    );
    t.equal(
      readFileSync(join(out, folder, 'a3-recovery.pdf'))
        .subarray(0, 4)
        .toString(),
      '%PDF',
    );
  }
  await writeReport({ recovery }, out);
  t.notOk(existsSync(join(out, 'reports/a3-recovery.png')), 'and goes with the report');
});

t.test('a report of some parts has those alone', async (t) => {
  const folder = t.testdir();
  writePart(folder, 'spread', spread);
  writePart(folder, 'recovery', recovery);
  t.same(readResults(folder, ['recovery', 'soak']), { recovery });
  t.same(readParts('speed,spread', ['spread', 'recovery', 'speed']), ['spread', 'speed']);
  t.throws(() => readParts('speed,x', ['speed']), { message: '--only takes speed, not x' });
});

t.test('the committed report is the one of the committed samples', async (t) => {
  t.same(await draw(readResults(WHOLE_OUT)), reportIn(WHOLE_OUT));
});

t.test('a report takes the place of the one before, charts included, and only that', async (t) => {
  const out = t.testdir({ reports: { 'speed.svg': 'old', 'notes.txt': 'mine' } });
  await writeReport({ recovery }, out);
  t.same(Object.keys(reportIn(out)).sort(), [
    'README.md',
    'a3-recovery.svg',
    'index.html',
    'notes.txt',
    'slides/a3-recovery.svg',
  ]);
});

t.test('what stands in a doubt is text on the page, not markup', async (t) => {
  const files = await draw({ speed: { ...speed, wrong: { '<i>': 'a & b' } } });
  t.match(files['index.html'], 'speed: &lt;i&gt; was not timed: a &amp; b.');
});
