// Installs what is missing, says so if it takes long, and does nothing the second time. It is plain JavaScript, since
// it runs on whatever Node the machine has (20 or newer) before Node 26 is there.
//
//   node scripts/setup.js          what running needs: the packages of `dependencies`, and Node if this one is too old
//   node scripts/setup.js --test   all packages, and the test runner's plugins
//
// What is there stays: the second command adds to what the first one installed. An installation that was broken off
// begins anew, because npm takes half a package for a whole one. Versions are those of package-lock.json.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const packages = join(root, 'node_modules');
// Holds the number of the process that sets this checkout up now.
const turn = join(root, '.setup-turn');
const say = (text) => console.error(`setup: ${text}`);
const { engines, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

if (isOlder(process.versions.node, '20')) {
  say(`Node 20 or newer is needed to set up, this is ${process.version}`);
  process.exit(1);
}

const forTests = process.argv.includes('--test');
let isWhole = wasFinished();
let hasTurn = false;
// npm would remove the tools of a checkout that has them if it were asked for less.
const withTools = forTests || (isWhole && existsSync(join(packages, 'tap')));
// Once Node has been fetched, it is the one that runs this script.
const withNode = withTools || isOlder(process.versions.node, engines.node) || existsSync(join(packages, 'node'));
const wanted = [withTools, withNode, process.platform, process.arch].join();
await once('node_modules/.ringmaster-setup', fingerprint(['package-lock.json'], wanted), async () => {
  if (!isWhole) rmSync(packages, { recursive: true, force: true });
  // The attack: a package deep in the tree is taken over and runs its code while it is installed (test/setup.test.ts).
  // So no package may run a script but `node`, which downloads its program in one.
  const install = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  if (withTools) {
    const all = [...install, '--include=dev'];
    await step('installing all packages into node_modules (once, a minute or a few)', npm(), all);
  } else {
    // Node is one of the tools, which are left out, unless it is asked for as more than that.
    const node = withNode ? ['--save-prod', `node@${devDependencies.node}`] : [];
    await step('installing packages into node_modules (once)', npm(), [...install, '--omit=dev', ...node]);
  }
  if (withNode) await fetchNode();
});
// The sample service needs a package only where its votes are in a Redis.
if (forTests || process.env.VOTES_URL) {
  const install = ['ci', '--prefix', 'replica', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await once('replica/node_modules/.ringmaster-setup', fingerprint(['replica/package-lock.json'], ''), () =>
    step('installing what the sample service needs for Redis (once)', npm(), install),
  );
}
if (forTests) {
  // Without these, the first run of tap would still load its default plugins, and fail.
  await once('.tap/.ringmaster-setup', fingerprint(['package-lock.json', 'package.json'], ''), () =>
    step(
      'preparing the test runner (once)',
      [join(packages, '.bin/node')],
      [join(packages, 'tap/dist/esm/run.mjs'), 'build'],
    ),
  );
}

/** Whether node_modules is there and not half of it. npm may have made it by hand. */
function wasFinished() {
  const stamp = join(packages, '.ringmaster-setup');
  if (existsSync(stamp)) return readFileSync(stamp, 'utf8') !== '';
  // npm writes this file when it has finished.
  return existsSync(join(packages, '.package-lock.json'));
}

/** Fetches the program of the package `node`, unless it is there. */
async function fetchNode() {
  const node = join(packages, '.bin/node');
  const { version } = JSON.parse(readFileSync(join(packages, 'node/package.json'), 'utf8'));
  const isThere = () => spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim() === `v${version}`;
  if (isThere()) return;
  const rebuild = ['rebuild', 'node', '--ignore-scripts=false', '--no-audit', '--loglevel=error'];
  await step('fetching Node (once)', npm(), rebuild);
  // The script that fetches it does not report its failures.
  if (isThere()) return;
  say(`${node} does not run: npm rebuild node --ignore-scripts=false --foreground-scripts says why`);
  process.exit(1);
}

/** Whether a version is older than one that is written as `24`, `24.1.2` or `>=24.1`. */
function isOlder(version, oldest) {
  const [numbers, least] = [version, oldest].map((one) => one.replace('>=', '').split('.').map(Number));
  const differs = least.findIndex((number, index) => number !== numbers[index]);
  return differs !== -1 && numbers[differs] < least[differs];
}

/** Runs `work` unless `stamp` says that it was done for this fingerprint. The stamp is empty while it is under way. */
async function once(stamp, wanted, work) {
  const path = join(root, stamp);
  const isDone = () => existsSync(path) && readFileSync(path, 'utf8') === wanted;
  if (isDone()) return;
  await takeTurn();
  if (isDone()) return;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '');
  await work();
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, wanted);
}

/** Two commands may be started at once in a new checkout. The later one waits, and then looks anew what is missing. */
async function takeTurn() {
  if (hasTurn) return;
  try {
    writeFileSync(turn, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    say('another command sets this checkout up: waiting for it …');
    while (isTaken()) await sleep(200);
    const node = existsSync(process.execPath) ? process.execPath : 'node';
    process.exit(spawnSync(node, process.argv.slice(1), { stdio: 'inherit' }).status ?? 1);
  }
  hasTurn = true;
  process.once('exit', () => rmSync(turn, { force: true }));
  isWhole = wasFinished();
}

/** Whether somebody is at work. What one leaves that was killed is removed. */
function isTaken() {
  try {
    process.kill(Number(readFileSync(turn, 'utf8')), 0);
    return true;
  } catch (error) {
    if (error.code === 'ESRCH') rmSync(turn, { force: true });
    return error.code === 'EPERM';
  }
}

function fingerprint(files, extra) {
  const hash = createHash('sha256').update(extra);
  for (const file of files) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** The npm that runs this script, or the one on the PATH. */
function npm() {
  const script = process.env.npm_execpath;
  // npm may just have replaced the very Node that this script runs on.
  const node = existsSync(process.execPath) ? process.execPath : 'node';
  return script?.endsWith('.js') ? [node, script] : ['npm'];
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
