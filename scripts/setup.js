// Installs what is missing, says so if it takes long, and does nothing the second time. It is plain JavaScript, since
// it runs on whatever Node the machine has (20 or newer) before Node 26 is there.
//
//   node scripts/setup.js          packages
//   node scripts/setup.js --test   packages, and the test runner's plugins

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const say = (text) => console.error(`setup: ${text}`);

if (Number.parseInt(process.versions.node, 10) < 20) {
  say(`Node 20 or newer is needed to set up, this is ${process.version}`);
  process.exit(1);
}

const packages = fingerprint(['package-lock.json'], `${process.platform}-${process.arch}`);
await once('node_modules/.ringmaster-setup', packages, async () => {
  // The attack: a package deep in the tree is taken over and runs its code while it is installed (test/setup.test.ts).
  // So no package may run a script but `node`, which downloads its program in one.
  const install = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await step('installing packages into node_modules (once, half a minute or so)', npm(), install);
  await step('fetching Node', npm(), ['rebuild', 'node', '--ignore-scripts=false', '--loglevel=error']);
  checkNode();
});
const hasTests = process.argv.includes('--test');
// The sample service needs a package only where its votes are in a Redis.
if (hasTests || process.env.VOTES_URL) {
  const install = ['ci', '--prefix', 'replica', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await once('replica/node_modules/.ringmaster-setup', fingerprint(['replica/package-lock.json'], ''), () =>
    step('installing what the sample service needs for Redis (once)', npm(), install),
  );
}
if (hasTests) {
  // Without these, the first run of tap would still load its default plugins, and fail.
  await once('.tap/.ringmaster-setup', fingerprint(['package-lock.json', 'package.json'], ''), () =>
    step(
      'preparing the test runner (once)',
      [join(root, 'node_modules/.bin/node')],
      [join(root, 'node_modules/tap/dist/esm/run.mjs'), 'build'],
    ),
  );
}

/** Runs `work` unless `stamp` says that it was done for this fingerprint. */
async function once(stamp, wanted, work) {
  const path = join(root, stamp);
  if (existsSync(path) && readFileSync(path, 'utf8') === wanted) return;
  await work();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, wanted);
}

function fingerprint(files, extra) {
  const hash = createHash('sha256').update(extra);
  for (const file of files) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** The npm that runs this script, or the one on the PATH. */
function npm() {
  const script = process.env.npm_execpath;
  return script?.endsWith('.js') ? [process.execPath, script] : ['npm'];
}

/** Runs a command. If it fails, shows its output and ends this process with its exit code. */
function step(what, [command, ...first], args) {
  say(`${what} …`);
  const startedMs = Date.now();
  const seconds = () => Math.round((Date.now() - startedMs) / 1000);
  const progress = setInterval(() => say(`… still at it after ${seconds()} s`), 10_000);
  const child = spawn(command, [...first, ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (bytes) => (output += bytes));
  child.stderr.on('data', (bytes) => (output += bytes));
  return new Promise((resolve) => {
    const finish = (code, reason) => {
      clearInterval(progress);
      if (code === 0) {
        say(`done in ${seconds()} s`);
        resolve();
        return;
      }
      process.stderr.write(output);
      say(`${[command, ...first, ...args].join(' ')} failed: ${reason}`);
      process.exit(code ?? 1);
    };
    child.once('error', (error) => finish(1, error.message));
    child.once('exit', (code, signal) => finish(code ?? 1, signal ?? `exit code ${code}`));
  });
}

/** Checks that the installed Node runs, since the install script of `node` does not report its failures. */
function checkNode() {
  const node = join(root, 'node_modules/.bin/node');
  const { stdout, error } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (error === undefined && Number.parseInt(stdout.slice(1), 10) >= 24) return;
  say(`${node} does not run: npm rebuild node --ignore-scripts=false --foreground-scripts says why`);
  process.exit(1);
}
