import { readFileSync } from 'node:fs';
import t from 'tap';
import {
  checkCompose,
  checkDocument,
  checkFolders,
  checkSource,
  checkWorkflow,
  findCircles,
  findFaults,
} from '../scripts/tidy.ts';

t.test('the project is tidy', async (t) => {
  t.same(findFaults(), []);
});

const faulty: [string, string, string, RegExp][] = [
  ['no comment at the top', 'lib/a.ts', 'export const a = 1;\n', /begins without a comment/],
  ['a name that says nothing', 'lib/utils.ts', '// x\n', /says nothing/],
  ['a default export', 'lib/a.ts', '// x\nexport default 1;\n', /exports a default/],
  ['301 lines', 'lib/a.ts', `// x\n${'\n'.repeat(300)}`, /has 301 lines/],
  ['a comment of 121 columns', 'lib/a.ts', `// ${'x'.repeat(118)}\n`, /line 1: a comment goes beyond column 120/],
  ['a wide line of a block', 'lib/a.ts', `// x\n/**\n * ${'x'.repeat(118)}\n */\n`, /line 3: a comment goes beyond/],
  ['a wide comment behind code', 'lib/a.ts', `// x\nf(); // ${'x'.repeat(118)}\n`, /line 2: a comment goes beyond/],
  [
    'the proxy imports the fleet',
    'lib/proxy/a.ts',
    "// x\nimport { b } from '../fleet/b.ts';\n",
    /may not import lib\/fleet\/b.ts/,
  ],
  [
    'an exchange imports the front',
    'lib/proxy/exchange/a.ts',
    "// x\nimport { b } from '../front/b.ts';\n",
    /may not import lib\/proxy\/front\/b.ts/,
  ],
  [
    'messages import the proxy',
    'lib/http/a.ts',
    "// x\nimport { b } from '../proxy/b.ts';\n",
    /may not import lib\/proxy\/b.ts/,
  ],
  [
    'the settings import the proxy',
    'lib/settings/a.ts',
    "// x\nimport { b } from '../proxy/b.ts';\n",
    /may not import lib\/proxy\/b.ts/,
  ],
  ['the core imports Node', 'lib/core/a.ts', "// x\nimport fs from 'node:fs';\n", /imports only the core/],
  ['the core imports errors', 'lib/core/a.ts', "// x\nimport { e } from '../errors.ts';\n", /imports only the core/],
  [
    'a replica imports the library',
    'replica/a.ts',
    "// x\nimport { b } from '../lib/log.ts';\n",
    /may not import lib\/log.ts/,
  ],
  [
    'a benchmark reaches into the proxy',
    'bench/a.ts',
    "// x\nimport { b } from '../lib/http/reply-reader.ts';\n",
    /may not import/,
  ],
  [
    'the harness knows an experiment',
    'bench/harness/a.ts',
    "// x\nimport { b } from '../samples.ts';\n",
    /may not import bench\/samples.ts/,
  ],
  [
    'dockerode elsewhere',
    'lib/fleet/a.ts',
    "// x\nimport D from 'dockerode';\n",
    /only lib\/fleet\/runtimes\/docker\/docker.ts and .* may import dockerode/,
  ],
  ['chance in the core', 'lib/core/a.ts', '// x\nconst a = Math.random();\n', /no Math.random/],
  ['time in the core', 'lib/core/a.ts', '// x\nconst a = new Date();\n', /no Date/],
  ['a promise in the core', 'lib/core/a.ts', '// x\nasync function f() {}\n', /no async/],
  ['a timer elsewhere', 'lib/fleet/a.ts', '// x\nsetTimeout(f, 1);\n', /setTimeout belongs into/],
];

for (const [what, path, text, message] of faulty) {
  t.test(`found: ${what}`, async (t) => {
    t.match(checkSource(path, text).join('\n'), message);
  });
}

t.test('found: a folder of more than a dozen files', async (t) => {
  const sources = Array.from({ length: 13 }, (_, index) => `lib/a/${index}.ts`);
  t.same(checkFolders(sources.slice(1)), []);
  t.same(checkFolders(sources), ['lib/a: has 13 files, more than 12']);
});

t.test('found: files that import each other, however many are between them', async (t) => {
  const imports: [string, string[]][] = [
    ['a', ['b', 'elsewhere']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', ['e']],
    ['e', ['f']],
    ['f', ['e']],
    ['g', ['a', 'd']],
  ];
  t.same(findCircles(new Map(imports)), [
    ['e', 'f'],
    ['a', 'b', 'c'],
  ]);
  t.same(findCircles(new Map(imports.slice(3, 5))), []);
});

t.test('found: a path or link in a document that leads nowhere, and an options table that is old', async (t) => {
  t.match(
    checkDocument('README.md', 'see `lib/core/ring/ring.ts` and `lib/core/rung.ts`').join(),
    /^README.md: lib\/core\/rung.ts is not there$/,
  );
  t.same(
    checkDocument('lib/README.md', '[a](../README.md#pages) [b](../README.md#pagers) [c](no/file.md) [d](#words)'),
    [
      'lib/README.md: the link to ../README.md#pagers leads nowhere',
      'lib/README.md: the link to no/file.md leads nowhere',
    ],
  );
  t.same(checkDocument('README.md', '`npm run bench:peers` and `npm run chek`'), [
    'README.md: npm run chek is not there',
  ]);
  t.match(
    checkDocument('README.md', '<!-- options -->\n| old |\n<!-- /options -->').join(),
    /its table of options is not what the code says/,
  );
});

t.test('found: an option that compose does not pass on or is given twice, and a variable that is none', async (t) => {
  const compose = readFileSync(new URL('../compose.yaml', import.meta.url), 'utf8');
  t.same(checkCompose(compose.replace(/^ +RINGMASTER_QUEUE:$/m, '      RINGMASTER_QEUE:')), [
    'compose.yaml: does not pass RINGMASTER_QUEUE on, nor says why not',
    'compose.yaml: RINGMASTER_QEUE is no option',
  ]);
  t.same(checkCompose(compose.replace(/^( +RINGMASTER_QUEUE:)$/m, '$1\n$1')), [
    'compose.yaml: gives RINGMASTER_QUEUE twice',
  ]);
});

t.test('found: a workflow that leaves out the oldest Node', async (t) => {
  t.match(checkWorkflow("- { node: '20', run: npm test }").join(), /does not run on Node 24/);
});

t.test('comments and names that only look alike are no faults', async (t) => {
  t.same(
    checkSource('lib/core/a.ts', '// Date, Math.random and async are for others\nconst update = 1; // new Date()\n'),
    [],
  );
  const widest = `// ${'x'.repeat(117)}`;
  t.same(checkSource('lib/a.ts', `${widest}\nconst url = 'https://${'x'.repeat(120)}';\n`), []);
});
