// The first minute: what the real program shows on a pseudo terminal of 80 columns, which `script` of util-linux makes,
// and elsewhere.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { scriptedReplica } from '../fixtures/scripted-replica.ts';

const MAIN = fileURLToPath(new URL('../../lib/main.ts', import.meta.url));
const ESCAPE = '\u001b';
const PLAIN: Readonly<Record<string, string>> = { TERM: 'xterm-256color', LANG: 'C.UTF-8' };
const hasTerminals = /util-linux/.test(spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '');
const skip = hasTerminals ? false : 'script of util-linux is not installed';

t.setTimeout(120_000);

/** What a run has shown so far, and its end. */
interface Shown {
  readonly child: ChildProcess;
  /** Resolves with all that was shown when that has been. */
  until(pattern: RegExp): Promise<string>;
  readonly ended: Promise<{ code: number | null; all: string }>;
}

async function onTerminal(
  t: Test,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Shown> {
  const directory = await mkdtemp(join(tmpdir(), 'terminal-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const { NO_COLOR: _, FORCE_COLOR: __, ...inherited } = process.env;
  const command = [process.execPath, MAIN, '--port', '0', ...words].map((word) => `'${word}'`).join(' ');
  // `script` keeps standard input for the terminal, and passes the exit code on.
  const child = spawn('script', ['-qec', `stty cols 80; exec ${command}`, '/dev/null'], {
    cwd: directory,
    env: { ...inherited, ...PLAIN, ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill());
  let all = '';
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    all += piece;
    for (const look of waiting) look();
  });
  const ended = new Promise<{ code: number | null; all: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, all }));
  });
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        if (!pattern.test(all)) return;
        waiting.delete(look);
        resolve(all);
      };
      waiting.add(look);
      look();
      void ended.then(() => reject(new Error(`it ended without ${pattern}: ${all}`)));
    });
  return { child, until, ended };
}

// What is left on the screen: a line that was cleared is gone.
function screen(all: string): string[] {
  return all
    .split('\n')
    .map((line) => line.slice(line.lastIndexOf(`${ESCAPE}[2K`) + 1).replace(/^\[2K/, ''))
    .map((line) => line.replaceAll(new RegExp(`${ESCAPE}\\[[\\d;]*m`, 'g'), '').replaceAll('\r', ''));
}

t.test(
  'on a terminal: progress, then what one needs; log lines for people; Ctrl-C ends it in order',
  { skip },
  async (t) => {
    const shown = await onTerminal(t, []);
    const begun = await shown.until(/stop: Ctrl-C/);
    t.match(begun, /starting, \d of 3 replicas serve \(\d+ s, Ctrl-C gives up\)/);
    const lines = screen(begun);
    t.notMatch(lines.join('\n'), /replicas serve/, 'the progress has gone');
    const at = lines.findIndex((line) => line.startsWith('ringmaster listens on'));
    const [first = '', dashboard, replicas, key, attempt, stop] = lines.slice(at);
    const [, url = ''] = /^ringmaster listens on (http:\/\/127\.0\.0\.1:\d+)$/.exec(first) ?? [];
    t.equal(dashboard, `dashboard: ${url}/balancer/`);
    t.match(replicas, /^replicas: (server[123] \(pid \d+\)(, )?){3}$/);
    t.match(key, /^key: /);
    t.equal(attempt, `try: curl ${url}/home`);
    t.equal(stop, 'stop: Ctrl-C');
    t.ok(
      lines.slice(at).every((line) => line.length <= 80),
      'in 80 columns',
    );
    const pids = [...(replicas ?? '').matchAll(/pid (\d+)/g)].map(([, pid]) => Number(pid));
    for (const pid of pids) t.ok(process.kill(pid, 0));
    const log = lines.slice(0, at).filter((line) => line !== '');
    t.ok(
      log.every((line) => /^\d\d:\d\d:\d\d (info |warn ) /.test(line)),
      log.join('\n'),
    );
    t.match(log.join('\n'), /replica serving server1 \(seat 1\)/);
    t.match(begun, `${ESCAPE}[`, 'in colours');

    shown.child.stdin?.write('\u0003');
    const { code, all } = await shown.ended;
    t.equal(code, 0);
    t.match(all, /stopping, open requests have 10 s to finish; Ctrl-C again: at once/);
    for (const pid of pids) t.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  },
);

t.test('Ctrl-C while it starts gives up', { skip }, async (t) => {
  const silent = await scriptedReplica(() => undefined);
  t.teardown(() => silent.close());
  const shown = await onTerminal(t, ['--upstream', silent.upstream, '--heartbeat-timeout', '1m', '--log', 'off']);
  await shown.until(/starting, 0 of 1 replicas serve/);
  shown.child.stdin?.write('\u0003');
  const { code, all } = await shown.ended;
  t.equal(code, 0);
  t.notMatch(all, /listens on/);
});

for (const [name, value] of [
  ['NO_COLOR', '1'],
  ['TERM', 'dumb'],
] as const) {
  t.test(`no colours with ${name}=${value}`, { skip }, async (t) => {
    const shown = await onTerminal(t, ['--replicas', '0'], { [name]: value });
    const begun = await shown.until(/stop: Ctrl-C/);
    t.notMatch(begun, new RegExp(`${ESCAPE}\\[[\\d;]*m`));
    if (name === 'TERM') t.notMatch(begun, ESCAPE, 'nor is anything drawn over');
    shown.child.stdin?.write('\u0003');
    await shown.ended;
  });
}

t.test('JSON on a terminal, if it is asked for', { skip }, async (t) => {
  const shown = await onTerminal(t, ['--replicas', '0', '--log-format', 'json']);
  const lines = screen(await shown.until(/stop: Ctrl-C/));
  t.match(JSON.parse(lines.find((line) => line.includes('listening')) ?? ''), { level: 'info', event: 'listening' });
  shown.child.stdin?.write('\u0003');
  await shown.ended;
});

t.test('elsewhere: no escape sequence, JSON lines, and the first line is for scripts', async (t) => {
  const service = await scriptedReplica(() => undefined);
  t.teardown(() => service.close());
  const program = await startProgram(['--upstream', service.upstream, '--heartbeat-path', 'off'], PLAIN);
  t.teardown(() => program.stop());
  t.equal(program.output().split('\n')[0], `ringmaster listens on ${program.url}`);
  t.notMatch(program.output(), ESCAPE);
  t.ok(program.log.some((line) => line.event === 'listening'));
});

t.test('text on a pipe, if it is asked for', async (t) => {
  const service = await scriptedReplica(() => undefined);
  t.teardown(() => service.close());
  const program = await startProgram([
    '--upstream',
    service.upstream,
    '--heartbeat-path',
    'off',
    '--log-format',
    'text',
  ]);
  let errors = '';
  program.process.stderr?.on('data', (bytes) => {
    errors += bytes;
  });
  await program.stop();
  t.match(errors, /^\d\d:\d\d:\d\d info {2}closing \(grace 10 s\)$/m);
  t.notMatch(errors, ESCAPE);
  t.same(program.log, []);
});

t.test('colours on a pipe with FORCE_COLOR, and JSON stays JSON', async (t) => {
  const service = await scriptedReplica(() => undefined);
  t.teardown(() => service.close());
  const { NO_COLOR: _, ...inherited } = process.env;
  const child = spawn(
    process.execPath,
    [MAIN, '--port', '0', '--upstream', service.upstream, '--heartbeat-path', 'off'],
    { env: { ...inherited, ...PLAIN, FORCE_COLOR: '1' }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  t.teardown(() => child.kill());
  let errors = '';
  child.stderr.on('data', (bytes) => {
    errors += bytes;
  });
  let output = '';
  for await (const bytes of child.stdout) {
    output += bytes;
    if (/Ctrl-C\n/.test(output)) break;
  }
  t.match(output, `${ESCAPE}[36mhttp://127.0.0.1:`);
  t.match(errors, /^\{"time":.*"event":"listening"/m);
  t.notMatch(errors, ESCAPE);
});
