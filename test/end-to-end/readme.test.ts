// What README.md and the pages show of a session is what the program says: it is started as they say, with the files that
// they show, their curl commands are run, and the answers compared. What is drawn at random (names, ids) may differ.

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { unlessInstalled } from '../../bench/harness/peers.ts';
import { freePort } from '../../bench/harness/ports.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { filesIn, PAGE_NAMES, ROOT, type Step, stepsIn, textOf } from '../fixtures/pages.ts';

t.setTimeout(600_000);

// A replacement may take its time on a busy machine.
const TRIES = 40;
const FIELDS_DRAWN = /^(X-Ringmaster-(?:Request-Id|Key|Slot|Owner|Replica|Order)): .*$/gm;

/** Without what is drawn at random. Who has seen a session is called by the order in which they first did. */
function plain(text: string): string {
  const seen: string[] = [];
  const numbered = (name: string) => {
    if (!seen.includes(name)) seen.push(name);
    return `replica ${seen.indexOf(name)}`;
  };
  return text
    .replaceAll(/server_\w+/g, 'server_random')
    .replaceAll(/(Hello from Server: )\w+/g, '$1any')
    .replaceAll(/\w+(?= has seen you)/g, numbered)
    .replaceAll(FIELDS_DRAWN, '$1')
    .replaceAll(/pid \d+/g, 'pid')
    .replaceAll(/(admin token: )\S+/g, '$1random')
    .replaceAll(/(http:\/\/[\d.]+):\d+/g, '$1')
    .replaceAll(/(internal\/\S+):\d+/g, '$1')
    .replaceAll('\r', '')
    .trimEnd();
}

/** Whether a text is what is shown. An ellipsis stands for any lines, or at the end of one for any rest of it. */
function isShown(text: string, answer: string): boolean {
  const pattern = plain(answer)
    .split(/\s*…(?:\n|$)/)
    .map((part) => RegExp.escape(part))
    .join('[^]*');
  return new RegExp(`^${pattern}$`).test(plain(text));
}

const tokenIn = (text: string) => /^admin token: (\S+)$/m.exec(text)?.[1];

/** A folder as that of somebody who has copied the files of a page, and installed what they import. */
function folderFor(t: Test, text: string): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'ringmaster-page-')));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  for (const [name, code] of filesIn(text)) writeFileSync(join(folder, name), code);
  return folder;
}

/** What a command of a page prints in that folder, mistakes too. */
async function shell(command: string, folder: string): Promise<string> {
  // Somebody may have the port that it has otherwise.
  const port = `RINGMASTER_PORT=${await freePort()}`;
  // What tap has Node load besides changes what Node says of a missing file; tap puts it into each environment.
  const ringmaster = `ringmaster() { env -u NODE_OPTIONS ${port} ${process.execPath} ${join(ROOT, 'lib/main.ts')} "$@"; }`;
  const words = command.startsWith('ringmaster ') ? `${ringmaster}\n{ ${command}; } 2>&1 || true` : command;
  const { FORCE_COLOR: _, ...env } = process.env;
  return (await promisify(execFile)('sh', ['-c', words], { cwd: folder, env })).stdout;
}

/** Starts the program as a page says, in the folder that the page means. */
async function start(t: Test, { command, start: words = '' }: Step, folder: string): Promise<Program> {
  const args = (await shell(`printf '%s\\n' ${words}`, folder)).trimEnd().split('\n');
  const directory = command.startsWith('npm ') ? ROOT : folder;
  const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;
  const program = await startProgram(args, { PATH: path }, { before: ['sh', '-c', 'cd "$0" && exec "$@"', directory] });
  t.teardown(() => program.stop());
  return program;
}

const AS_ALWAYS: Step = { command: 'npm start --silent', answer: '', start: '--log off' };

for (const name of ['README', ...PAGE_NAMES]) {
  const text = textOf(name);
  const steps = stepsIn(text);
  if (steps.length === 0) continue;
  t.test(`${name}: each command prints what is shown`, { skip: unlessInstalled('curl') }, async (t) => {
    const folder = folderFor(t, text);
    let program: Program | undefined;
    let variables = '';
    let tokens: readonly (string | undefined)[] = [];
    for (const step of steps) {
      const { command, answer } = step;
      if (step.start !== undefined) {
        await program?.stop();
        program = await start(t, step, folder);
        tokens = [tokenIn(answer), tokenIn(program.output())];
        if (answer !== '') t.equal(plain(program.output()), plain(answer), command);
      } else if (/^[A-Z]+=/.test(command)) {
        variables += `${command}\n`;
      } else if (command.startsWith('echo ')) {
        await shell(command, folder);
      } else if (command.startsWith('ringmaster ')) {
        await compare(t, step, folder, (words) => words);
      } else {
        program ??= await start(t, AS_ALWAYS, folder);
        await compare(t, step, folder, (words) => `${variables}${here(words, program as Program, tokens)}`);
      }
    }
  });
}

/** A command of a page for the program that runs now. */
function here(command: string, { port }: Program, [shown, drawn]: readonly (string | undefined)[]): string {
  const words = command.replaceAll('localhost:5000', `127.0.0.1:${port}`).replaceAll(/curl (?!-s )/g, 'curl -s ');
  return shown === undefined || drawn === undefined ? words : words.replaceAll(shown, drawn);
}

async function compare(t: Test, { command, answer }: Step, folder: string, made: (command: string) => string) {
  const shown = answer.replaceAll('/home/you', folder);
  let printed = await shell(made(command), folder);
  // What has to wait for a replacement says so with a sleep.
  for (let tries = 0; command.includes('sleep') && !isShown(printed, shown) && tries < TRIES; tries++) {
    await sleep(500);
    printed = await shell(made(command.replace(/^sleep \d+; /, '')), folder);
  }
  if (isShown(printed, shown)) t.pass(command);
  else t.equal(plain(printed), plain(shown), command);
}

t.test('the pages follow each other as in the table of README.md, and have no others beside them', async (t) => {
  const files = readdirSync(join(ROOT, '.github/pages'));
  t.same(files.sort(), PAGE_NAMES.map((name) => `${name}.md`).sort());
  for (const [index, name] of PAGE_NAMES.entries()) {
    const lines = textOf(name).trimEnd().split('\n');
    const links = [...(lines[2] ?? '').matchAll(/\]\((.*?)\)/g)].map(([, target]) => target);
    const [previous, next] = [PAGE_NAMES[index - 1], PAGE_NAMES[index + 1]];
    const expected = [previous && `${previous}.md`, '../../README.md#pages', next && `${next}.md`];
    t.same(
      links,
      expected.filter((target) => target !== undefined),
      name,
    );
    t.equal(lines.at(-1), lines[2], `${name} ends as it begins`);
  }
});
