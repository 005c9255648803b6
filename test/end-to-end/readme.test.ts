// What README.md shows of a session is what the program says: its curl commands are run, and the answers compared. What
// is drawn at random (names, ids) may differ.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import t from 'tap';
import { unlessInstalled } from '../../bench/harness/peers.ts';
import { startProgram } from '../../bench/harness/program.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
// A replacement may take its time on a busy machine.
const TRIES = 40;

interface Shown {
  readonly command: string;
  readonly answer: string;
}

/** The curl commands of a section, with what they print. */
function shownIn(heading: string): Shown[] {
  const [, section = ''] = new RegExp(`\\n## ${heading}\\n(.*?)\\n## `, 's').exec(README) ?? [];
  const blocks = [...section.matchAll(/```console\n(.*?)```/gs)].map(([, text = '']) => text);
  const parts = blocks.flatMap((block) => block.split(/^\$ /m).slice(1));
  return parts
    .map((part) => ({ command: part.split('\n', 1)[0] ?? '', answer: part.slice(part.indexOf('\n') + 1).trimEnd() }))
    .filter(({ command }) => command.includes('curl '));
}

/** Without what is drawn at random. */
function plain(text: string): string {
  return text
    .replaceAll(/server_\w+/g, 'server_random')
    .replaceAll(/(Hello from Server: )\w+/g, '$1any')
    .replaceAll(/^(X-Ringmaster-\S+): .*$/gm, '$1')
    .replaceAll('\r', '')
    .trimEnd();
}

async function run(command: string, port: number): Promise<string> {
  const here = command.replaceAll('localhost:5000', `127.0.0.1:${port}`).replaceAll(/curl (?!-s )/g, 'curl -s ');
  return (await promisify(execFile)('sh', ['-c', here])).stdout;
}

for (const heading of ['Start', 'Endpoints']) {
  t.test(`README, ${heading}: each command prints what is shown`, { skip: unlessInstalled('curl') }, async (t) => {
    const shown = shownIn(heading);
    t.ok(shown.length >= 3, `${shown.length} commands`);
    const program = await startProgram(['--replicas', '3']);
    t.teardown(() => program.stop());
    for (const { command, answer } of shown) {
      const isPart = answer.endsWith('…');
      const expected = plain(answer.replace(/\s*…$/, ''));
      const fits = (text: string) => (isPart ? plain(text).startsWith(expected) : plain(text) === expected);
      let printed = await run(command, program.port);
      // What has to wait for a replacement says so with a sleep.
      for (let tries = 0; command.includes('sleep') && !fits(printed) && tries < TRIES; tries++) {
        await sleep(500);
        printed = await run(command.replace(/^sleep \d+; /, ''), program.port);
      }
      t.equal(isPart ? plain(printed).slice(0, expected.length) : plain(printed), expected, command);
    }
  });
}
