// The package as its users get it: packed, judged by publint and arethetypeswrong, and installed in empty folders, where
// the command runs and the library is imported.

import { execFile } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { contextFiles } from '../../lib/fleet/runtimes/docker/image.ts';

t.setTimeout(600_000);

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MOST_BYTES = 2 * 2 ** 20;
const { version, engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const { NODE_ENV: _, ...environment } = process.env;

const folder = mkdtempSync(join(tmpdir(), 'ringmaster-package-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const global = join(folder, 'global');
const project = join(folder, 'project');
const installed = join(project, 'node_modules/ringmaster');

// The test runner has every Node below it load hooks, which no user has, and with which tsc does not run.
const asUsers = ['env', '-u', 'NODE_OPTIONS'] as const;

/** Runs a command and gives what it printed. Rejects with all its output if it fails. */
async function run(cwd: string, words: readonly string[], env: NodeJS.ProcessEnv = environment): Promise<string> {
  const [file, ...args] = [...asUsers, ...words];
  return (await promisify(execFile)(file, args, { cwd, env, maxBuffer: 2 ** 24 })).stdout;
}

const onThisNode = { ...environment, PATH: `${dirname(process.execPath)}${delimiter}${environment.PATH}` };

await run(ROOT, [process.execPath, 'scripts/package/build.ts']);
await run(ROOT, ['npm', 'pack', '--ignore-scripts', '--pack-destination', folder]);
const tarball = join(folder, `ringmaster-${version}.tgz`);
const bytes = new Uint8Array(readFileSync(tarball));

mkdirSync(project);
writeFileSync(join(project, 'package.json'), '{"type":"module","private":true}');
const offline = await install().catch((error: Error & { stderr?: string }) => {
  if (!/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTCACHED/.test(error.stderr ?? '')) throw error;
  return 'npm cannot reach a registry for the packages it depends on';
});
const options = offline === undefined ? {} : { skip: offline };

async function install(): Promise<undefined> {
  const flags = ['--prefer-offline', '--fetch-retries=1', '--ignore-scripts', '--no-audit', '--no-fund', tarball];
  await run(folder, ['npm', 'install', '--global', '--prefix', global, ...flags]);
  await run(project, ['npm', 'install', ...flags]);
}

/** Links in the documents of the package to what it has not, but for charts and reports of experiments in a checkout. */
function deadLinks(paths: ReadonlySet<string>): string[] {
  const isThere = (path: string) => [...paths].some((one) => one === path || one.startsWith(path.replace(/\/*$/, '/')));
  const documents = [...paths].filter((path) => path.endsWith('.md'));
  return documents.flatMap((document) => {
    const links = readFileSync(join(ROOT, document), 'utf8').matchAll(/\]\((?!\w+:|#)([^)#]+)/g);
    return [...links]
      .map(([, target = '']) => join(dirname(document), target))
      .filter((target) => !isThere(target) && !(/pages\/(ANALYSE|SPEED)/.test(document) && target.startsWith('bench/')))
      .map((target) => `${document}: ${target}`);
  });
}

t.test('it is small, and has what runs and what explains it, and nothing else', async (t) => {
  t.ok(bytes.length < MOST_BYTES, `${bytes.length} bytes`);
  const files = (await run(ROOT, ['tar', 'tzf', tarball])).split('\n').filter((line) => line !== '');
  const paths = new Set(files.map((file) => file.replace('package/', '')));
  t.ok(paths.has('dist/ringmaster.schema.json'));
  const runs = /^(dist|replica)\/.*\.(js|d\.ts|js\.map|ts|json|html|css)$/;
  const explains = /^(\.github\/([\w/-]+\.md|images\/.*\.png)|scripts\/(app|grafana|systemd)\/.*|lib\/README\.md)$/;
  const others = [...paths].filter((path) => !runs.test(path) && !explains.test(path));
  t.same(others.sort(), ['Dockerfile.replica', 'LICENSE', 'README.md', 'package.json']);
  t.same(deadLinks(paths), []);
  const sources = globSync('{lib,replica}/**/*.ts', { cwd: ROOT, exclude: ['**/node_modules/**'] });
  const missing = sources.flatMap((path) => {
    const made = ['.js', '.js.map', '.d.ts'].map((ending) => `dist/${path.replace(/\.ts$/, ending)}`);
    return made.filter((one) => !paths.has(one));
  });
  t.same(missing, []);
});

t.test('publint and arethetypeswrong find nothing', async (t) => {
  const { messages, pkg } = await publint({ pack: { tarball: bytes.buffer as ArrayBuffer } });
  t.same(
    messages.map((message) => formatMessage(message, pkg, { color: false })),
    [],
  );
  const result = await checkPackage(createPackageFromTarballData(bytes));
  t.ok(result.types);
  const problems = 'problems' in result ? result.problems : [];
  // It is for Node's modules alone: `require` gives it too, and TypeScript's oldest way of resolving is of no use.
  const ours = problems.filter(
    (one) => !('resolutionKind' in one) || /^(node16-esm|bundler)$/.test(one.resolutionKind),
  );
  t.same(ours, []);
});

t.test('npm i -g: the command runs, with its service, its site, its dashboard and its workers', options, async (t) => {
  // It is loaded only for Docker, so nothing may miss it here.
  rmSync(join(global, 'lib/node_modules/ringmaster/node_modules/dockerode'), { recursive: true });
  const command = [join(global, 'bin/ringmaster')];
  const program = await startProgram(['--workers', '2', '--replicas', '2'], onThisNode, { before: asUsers, command });
  t.teardown(() => program.stop());
  let errors = '';
  program.process.stderr?.on('data', (piece) => {
    errors += piece;
  });
  t.same(await program.hostnames(), ['server1', 'server2']);
  t.match(await program.json('/home'), { status: 200, body: { status: 'successful' } });
  for (const path of ['/', '/site/vote.js', '/balancer/', '/balancer/dashboard.js', '/balancer/ring']) {
    t.equal((await program.call('GET', path)).status, 200, path);
  }
  t.match(await run(folder, ['ps', '-o', 'args=', '-p', String(program.pid)]), /--disable-sigusr1/);
  program.process.kill('SIGUSR1');
  t.equal((await program.json('/home')).status, 200);
  t.notMatch(errors, /Debugger/);
  program.process.kill('SIGTERM');
  t.equal(await program.exited, 0);
});

t.test('npx: in a folder that has it, with a hash of one’s own', options, async (t) => {
  t.equal(await run(project, ['npx', 'ringmaster', '--version'], onThisNode), `${version}\n`);
  t.match(await run(project, ['npx', 'ringmaster', '--help'], onThisNode), /--replicas/);
  const hash = join(project, 'mine.js');
  writeFileSync(
    hash,
    'export const requestSlot = (key) => key * 31;\nexport const virtualNodeSlot = (seat, index) => seat * 100 + index * 7;\n',
  );
  const command = [join(project, 'node_modules/.bin/ringmaster')];
  const program = await startProgram(['--hash', hash], onThisNode, { before: asUsers, command });
  t.teardown(() => program.stop());
  t.equal((await program.json('/home')).status, 200);
});

t.test('the library is imported by JavaScript and by TypeScript, with its types', options, async (t) => {
  writeFileSync(
    join(project, 'app.js'),
    `import { createBalancer } from 'ringmaster';
import about from 'ringmaster/package.json' with { type: 'json' };
console.log(typeof createBalancer, about.version);
`,
  );
  t.equal(await run(project, [process.execPath, 'app.js']), `function ${version}\n`);
  writeFileSync(
    join(project, 'app.ts'),
    `import { createBalancer } from 'ringmaster';
type IsAny<T> = 0 extends 1 & T ? true : false;
const hasTypes: [IsAny<typeof createBalancer>, IsAny<Awaited<ReturnType<typeof createBalancer>>>] = [false, false];
console.log(hasTypes);
`,
  );
  const settings = ['--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node', '--noEmit'];
  t.equal(await run(project, [join(ROOT, 'node_modules/.bin/tsc'), '--ignoreConfig', ...settings, 'app.ts']), '');
});

t.test('with Docker it builds the same image as the checkout', options, async (t) => {
  t.same(contextFiles(installed), contextFiles(ROOT));
});

t.test('each Node on this machine runs it, or is too old and told so in a line', options, async (t) => {
  const oldest = engines.node.replace('>=', '');
  const command = [join(project, 'node_modules/.bin/ringmaster')];
  const found = (environment.PATH ?? '').split(delimiter).map((place) => join(place, 'node'));
  for (const node of new Set(found.filter((one) => existsSync(one)).map((one) => realpathSync(one)))) {
    const env = { ...environment, PATH: `${dirname(node)}${delimiter}${environment.PATH}` };
    const named = (await run(folder, [node, '--version'])).trim();
    if (named.slice(1).localeCompare(oldest, undefined, { numeric: true }) >= 0) {
      const program = await startProgram(['--workers', '2'], env, { before: asUsers, command });
      t.equal((await program.json('/home')).status, 200, named);
      await program.stop();
    } else {
      const stderr = `ringmaster: Node ${oldest} or newer is needed, and this is ${named} (${node})\n`;
      await t.rejects(run(folder, [...command, '--version'], env), { code: 1, stderr }, named);
    }
  }
});
