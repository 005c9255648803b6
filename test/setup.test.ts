// scripts/setup.js with the real npm, in a project of a few packages that come from files, so that no registry is asked.

import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';

// npm tells the scripts of packages where it was started.
const mark = (name: string) => `echo >> "\${INIT_CWD:-.}/${name}-ran"`;
const { NODE_ENV: _, INIT_CWD: __, ...environment } = process.env;
const run = (cwd: string, ...command: [string, ...string[]]) =>
  execFileSync(command[0], command.slice(1), { cwd, env: environment, stdio: 'pipe' });

const template = makeTemplate();
t.teardown(() => rmSync(template, { recursive: true, force: true }));

/** A project with a dependency whose scripts are evil, a Node that is downloaded, and a test runner. */
function makeTemplate(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-setup-'));
  const pack = (name: string, content: object, files: Readonly<Record<string, string>> = {}) => {
    const from = join(directory, name);
    mkdirSync(from);
    const manifest = { name, version: '1.0.0', ...content };
    for (const [file, text] of Object.entries({ 'package.json': JSON.stringify(manifest), ...files })) {
      writeFileSync(join(from, file), text, { mode: 0o755 });
    }
    run(from, 'npm', 'pack', '--pack-destination', '..');
    return `file:${name}-1.0.0.tgz`;
  };
  const evilScripts = { preinstall: mark('evil'), install: mark('evil'), postinstall: mark('evil') };
  // A script stands in for the Node that is downloaded. It is asked for its version, and to run the test runner.
  const program = `#!/bin/sh\n[ "$1" = --version ] && echo v1.0.0 || ${mark('tap')}\n`;
  const fetch = `${mark('node')} && mv fetched fetch`;
  const manifest = {
    name: 'project',
    version: '1.0.0',
    private: true,
    type: 'module',
    dependencies: { evil: pack('evil', { scripts: evilScripts }, { 'whole.js': '' }) },
    devDependencies: {
      node: pack('node', { bin: { node: 'fetch' }, scripts: { preinstall: fetch } }, { fetched: program }),
      tap: pack('tap', {}),
    },
    allowScripts: { node: true },
  };
  writeFileSync(join(directory, 'package.json'), JSON.stringify(manifest));
  mkdirSync(join(directory, 'scripts'));
  const script = fileURLToPath(new URL('../scripts/setup.js', import.meta.url));
  copyFileSync(script, join(directory, 'scripts/setup.js'));
  const service = { name: 'service', version: '1.0.0', dependencies: { evil: 'file:../evil-1.0.0.tgz' } };
  mkdirSync(join(directory, 'replica'));
  writeFileSync(join(directory, 'replica/package.json'), JSON.stringify(service));
  for (const folder of [directory, join(directory, 'replica')]) {
    run(folder, 'npm', 'install', '--package-lock-only', '--ignore-scripts', '--offline');
  }
  return directory;
}

function project(t: Test, oldestNode: string) {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-setup-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  cpSync(template, directory, { recursive: true });
  const at = (path: string) => join(directory, path);
  const manifest = JSON.parse(readFileSync(at('package.json'), 'utf8'));
  writeFileSync(at('package.json'), JSON.stringify({ ...manifest, engines: { node: `>=${oldestNode}` } }));
  return {
    setUp: (...flags: string[]) => run(directory, process.execPath, 'scripts/setup.js', ...flags),
    setUpAlongside: (...flags: string[]) =>
      promisify(execFile)(process.execPath, ['scripts/setup.js', ...flags], { cwd: directory, env: environment }),
    npm: (...args: string[]) => run(directory, 'npm', ...args),
    has: (path: string) => existsSync(at(path)),
    timesRun: (name: string) => (existsSync(at(`${name}-ran`)) ? readFileSync(at(`${name}-ran`)).length : 0),
    write: (path: string, text: string) => writeFileSync(at(path), text),
    remove: (path: string) => rmSync(at(path)),
  };
}

t.test('no package runs a script of its own when it is installed, but the one that fetches Node', async (t) => {
  const { setUp, has, timesRun } = project(t, '99');
  setUp();
  t.ok(has('node_modules/evil'));
  t.notOk(has('replica/node_modules'), 'the sample service needs nothing to run');
  setUp('--test');
  t.ok(has('replica/node_modules/evil'));
  t.equal(timesRun('node'), 1);
  t.equal(timesRun('evil'), 0);
});

t.test('what running needs is installed first, and the tools are added to it', async (t) => {
  const { setUp, has, timesRun, write } = project(t, '99');
  setUp();
  t.notOk(has('node_modules/tap'));
  write('node_modules/evil/kept.txt', '');
  setUp('--test');
  t.ok(has('node_modules/tap'));
  t.ok(has('node_modules/evil/kept.txt'), 'nothing is installed twice');
  t.equal(timesRun('node'), 1);
  t.equal(timesRun('tap'), 1, 'the test runner is prepared');
  setUp();
  t.ok(has('node_modules/tap'), 'and tools that are there stay');
  setUp('--test');
  t.same([timesRun('node'), timesRun('tap')], [1, 1]);
});

t.test('no Node is fetched to run where this one will do', async (t) => {
  const { setUp, has, timesRun } = project(t, '20');
  setUp();
  t.ok(has('node_modules/evil'));
  t.notOk(has('node_modules/.bin/node'));
  t.equal(timesRun('node'), 0);
  setUp('--test');
  t.equal(timesRun('node'), 1, 'tests run on the one that is named');
});

t.test("two commands at once do not take each other's packages away", async (t) => {
  const { setUpAlongside, has, timesRun } = project(t, '99');
  const said = await Promise.all([setUpAlongside(), setUpAlongside('--test'), setUpAlongside('--test')]);
  t.match(said.map(({ stderr }) => stderr).join(''), /another command sets this checkout up/);
  t.ok(has('node_modules/evil') && has('node_modules/tap') && has('replica/node_modules/evil'));
  t.equal(timesRun('node'), 1);
  t.equal(timesRun('tap'), 1);
  t.notOk(has('.setup-turn'));
});

t.test('one that was killed keeps nobody waiting', async (t) => {
  const { setUp, has, write } = project(t, '99');
  const gone = spawnSync(process.execPath, ['--version']);
  write('.setup-turn', String(gone.pid));
  setUp();
  t.ok(has('node_modules/evil'));
  t.notOk(has('.setup-turn'));
});

t.test('an installation that was broken off begins anew', async (t) => {
  const { setUp, has, write, remove } = project(t, '20');
  setUp();
  write('node_modules/.ringmaster-setup', '');
  remove('node_modules/evil/whole.js');
  setUp();
  t.ok(has('node_modules/evil/whole.js'));
});

t.test('what npm installed by hand stays, if it is whole', async (t) => {
  const { setUp, npm, has, timesRun, write, remove } = project(t, '99');
  npm('ci', '--ignore-scripts', '--offline');
  write('node_modules/evil/kept.txt', '');
  setUp();
  t.ok(has('node_modules/evil/kept.txt'));
  t.ok(has('node_modules/tap'));
  t.equal(timesRun('node'), 1, 'what is missing is fetched');

  remove('node_modules/.ringmaster-setup');
  remove('node_modules/.package-lock.json');
  setUp();
  t.notOk(has('node_modules/evil/kept.txt'));
  t.ok(has('node_modules/evil'));
});
