// `ringmaster check` and `ringmaster config`, as somebody runs them, and a start with a file.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'ringmaster-config-'));
t.teardown(() => rmSync(directory, { recursive: true }));

const file = (name: string, text: string) => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const GOOD = file('good.json', '{ "service": { "log": "warn" }, // why\n  "admin": { "admin-token": "s3cret" } }');
const BAD = file('bad.json', '{ "ring": { "slots": 0 },\n  "rung": {} }');

const { FORCE_COLOR: _, ...inherited } = process.env;
function run(args: readonly string[], environment: Record<string, string> = {}) {
  const env = { ...inherited, ...environment };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['lib/main.ts', ...args], { cwd: ROOT, env });
  return {
    status,
    stdout: String(stdout).replaceAll(directory, '.'),
    stderr: String(stderr).replaceAll(directory, '.'),
  };
}

t.test('check: nothing wrong is exit code 0, all faults are 1, a wrong call is 2', async (t) => {
  t.match(run(['check', GOOD]), { status: 0, stdout: './good.json: no mistake found\n', stderr: '' });
  t.match(run(['check', BAD]), {
    status: 1,
    stdout: '',
    stderr:
      './bad.json:1:22: ring.slots takes a whole number from 1 to 65536, not 0\n' +
      './bad.json:2:3: unknown group rung: did you mean ring?\n',
  });
  t.match(run(['check', join(directory, 'none.json')]), {
    status: 1,
    stderr: /^\.\/none\.json cannot be read: ENOENT/,
  });
  for (const args of [[], [GOOD, BAD], ['--port']]) {
    t.match(run(['check', ...args]), { status: 2, stderr: /^ringmaster: check takes one file/ }, args.join(' '));
  }
  t.match(run(['chekc', GOOD]), { status: 2, stderr: /unexpected argument chekc/ });
});

t.test('config: what holds and where it came from, without secrets', async (t) => {
  const { status, stdout } = run(['config', '--config', GOOD, '--slots', '64', '--', 'node', 'app.js'], {
    RINGMASTER_GRACE: '2s',
  });
  t.equal(status, 0);
  for (const line of [
    /^ {2}log +warn +\.\/good\.json:1:16$/m,
    /^ {2}grace +2s +RINGMASTER_GRACE$/m,
    /^ {2}slots +64 +--slots$/m,
    /^ {2}virtual-nodes +9 +default$/m,
    /^ {2}admin-token +\(not shown\) +\.\/good\.json:2:14$/m,
    /^ {2}command +node app\.js +--$/m,
  ]) {
    t.match(stdout, line);
  }
  t.notMatch(stdout, /s3cret/);
  t.notMatch(run(['config', '--config', GOOD, '--json']).stdout, /s3cret/);
});

t.test('config --json: the same for programs, in the form that a file has', async (t) => {
  const { status, stdout } = run(['config', '--json', '--config', GOOD, '--replica-env', 'A=1', '--via', 'off']);
  t.equal(status, 0);
  t.match(JSON.parse(stdout), {
    command: { value: [], from: 'default' },
    service: {
      log: { value: 'warn', from: 'file', where: './good.json:1:16' },
      grace: { value: '10s', from: 'default' },
    },
    admin: { 'admin-token': { value: null, from: 'file' } },
    ring: { slots: { value: 512, from: 'default' } },
    replicas: { 'replica-env': { value: null, from: 'flag', where: '--replica-env' } },
    messages: { via: { value: false, from: 'flag', where: '--via' } },
  });
});

t.test('config: options that would not do are told as at a start', async (t) => {
  t.match(run(['config', '--config', BAD]), {
    status: 2,
    stderr: /^ringmaster: \.\/bad\.json:1:22: .*\nringmaster: .*:2:3/,
  });
  t.match(run(['config', '--prot', '1']), { status: 2, stderr: /did you mean --port/ });
});

t.test('npm start passes the words on', async (t) => {
  const { status, stdout } = spawnSync('npm', ['start', '--silent', '--ignore-scripts', '--', 'check', GOOD], {
    cwd: ROOT,
    env: { ...inherited, PATH: `${join(ROOT, 'node_modules/.bin')}:${inherited.PATH}` },
  });
  t.equal(status, 0);
  t.match(String(stdout), /good\.json: no mistake found/);
});

t.test('a start with a file goes by it, and one with a wrong file ends with all that is wrong', async (t) => {
  t.match(run(['--config', BAD]), {
    status: 2,
    stdout: '',
    stderr: /bad\.json:1:22: .*\nringmaster: .*bad\.json:2:3: /,
  });
  const config = file('ringmaster.json', '{ "replicas": { "replicas": 1 }, "ring": { "slots": 32 } }');
  const program = await startProgram(['--config', config]);
  t.teardown(() => program.stop());
  t.same(await program.hostnames(), ['server1']);
  t.match(await program.json('/balancer/ring'), { body: { slots: 32 } });
});
