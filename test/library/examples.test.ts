// The examples of the page "As a library": they run, print what their comments say, and fit the types.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

interface Example {
  readonly file: string;
  readonly code: string;
}

/** The examples of that section, each with the name in its first line. */
function examplesOf(document: string): Example[] {
  return [...document.matchAll(/```[jt]s\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, file = '', code = '']) => ({
    file,
    code,
  }));
}

/** The words that an example says it prints, in comments behind `console.log`. */
function promised(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].flatMap(([, words = '']) => words.split(' '));
}

t.setTimeout(120_000);

const examples = examplesOf(await readFile(join(ROOT, '.github/pages/LIBRARY.md'), 'utf8'));
const directory = await mkdtemp(join(tmpdir(), 'examples-'));
t.teardown(() => rm(directory, { recursive: true, force: true }));
await mkdir(join(directory, 'node_modules/ringmaster'), { recursive: true });
// The package as the checkout has it, so that nothing need be built.
await symlink(join(ROOT, 'lib'), join(directory, 'node_modules/ringmaster/lib'));
const manifest = { name: 'ringmaster', type: 'module', exports: './lib/ringmaster.ts' };
await writeFile(join(directory, 'node_modules/ringmaster/package.json'), JSON.stringify(manifest));
await writeFile(join(directory, 'package.json'), '{"type":"module"}');
for (const { file, code } of examples) await writeFile(join(directory, file), code);

t.test('there are some, in both languages', async (t) => {
  t.same(
    examples.map(({ file }) => file),
    ['app.js', 'balance.js', 'several.ts'],
  );
});

for (const { file, code } of examples.filter(({ file }) => file !== 'app.js')) {
  t.test(`${file} runs, ends by itself and prints what it says`, async (t) => {
    const { stdout, stderr } = await run(process.execPath, [file], { cwd: directory, timeout: 60_000 });
    t.equal(stderr, '');
    t.same(stdout.trim().split(/\s+/), promised(code));
  });
}

t.test('they fit the types', async (t) => {
  const compilerOptions = {
    target: 'esnext',
    module: 'nodenext',
    lib: ['esnext'],
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    noEmit: true,
    allowImportingTsExtensions: true,
    checkJs: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
  };
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts', '*.js'] }));
  // The runner of the tests gives each Node that they start options of its own, which the compiler cannot stand.
  const words = ['-u', 'NODE_OPTIONS', join(ROOT, 'node_modules/.bin/tsc'), '--project', directory];
  const compiled = run('env', words, { cwd: directory });
  await t.resolves(
    compiled.catch(({ stdout, stderr }) => {
      throw new Error(`${stdout}${stderr}`);
    }),
  );
});
