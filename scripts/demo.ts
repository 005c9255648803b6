// `npm run demo`: a first look in under half a minute. Shows where requests go, kills a replica under load, shows the
// spread again, adds a replica and shows what that moved. Runs the real program on a port of its own and leaves nothing
// behind.

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { runCommand } from '../bench/command.ts';
import { endOnSignals } from '../bench/harness/children.ts';
import { replicaPid } from '../bench/harness/faults.ts';
import { countAnswers, startSteadyLoad } from '../bench/harness/load.ts';
import { type Program, startProgram } from '../bench/harness/program.ts';

const REQUESTS = 3000;
const PER_SECOND = 200;
const PAUSE_MS = 1200;
const BAR_WIDTH = 40;

const coloured = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const paint = (code: number) => (text: string) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);
const bold = paint(1);
const dim = paint(2);
const green = paint(32);
const red = paint(31);
const cyan = paint(36);

endOnSignals();
await runCommand('demo', readWords, playDemo);

function readWords(words: readonly string[]): string | object {
  const { help } = parseArgs({ args: [...words], options: { help: { type: 'boolean' } } }).values;
  return help ? 'Usage: npm run demo\n\nA first look, in a quarter of a minute. It has no options.\n' : {};
}

async function playDemo(): Promise<void> {
  const program = await startProgram([]);
  try {
    say(bold('\nringmaster'), `listens on ${program.url}, with three replicas that it started itself.\n`);
    await firstRequests(program);
    await showSpread(program, `${REQUESTS} requests, one after the other, and who answered them`);
    await killOne(program);
    await showSpread(program, 'The spread again, with the replacement in the place of the dead');
    await addOne(program);
    await showSpread(program, 'And again, with four');
    say(
      dim(
        [
          'Now on your own: npm start, then curl http://127.0.0.1:5000/home. The figures behind this: npm run bench.',
          'All of it live, with a load at the press of a button: http://127.0.0.1:5000/balancer/\n',
        ].join('\n'),
      ),
    );
  } finally {
    await program.stop();
  }
}

function say(...words: string[]): void {
  console.log(words.join(' '));
}

function heading(text: string): Promise<void> {
  say(cyan(`── ${text} ${'─'.repeat(Math.max(0, 76 - text.length))}`));
  return sleep(PAUSE_MS);
}

async function firstRequests({ call, url }: Program): Promise<void> {
  await heading('Three requests');
  for (let count = 0; count < 3; count++) {
    say(dim(`$ curl ${url}/home`));
    say(`  ${(await call('GET', '/home')).text}`);
  }
  say('');
}

async function showSpread({ call, url }: Program, title: string): Promise<void> {
  await heading(title);
  const { counts, failed } = await countAnswers(`${url}/home`, REQUESTS, 1);
  const { message } = JSON.parse((await call('GET', '/rep')).text);
  const most = Math.max(...counts.values());
  const width = Math.max(...message.replicas.map((name: string) => name.length));
  for (const name of message.replicas as string[]) {
    const count = counts.get(name) ?? 0;
    const bar = '█'.repeat(Math.round((count / most) * BAR_WIDTH));
    say(`  ${name.padEnd(width)}  ${green(bar.padEnd(BAR_WIDTH))}  ${count}`);
  }
  say(dim(`  ${failed} failed; the busiest has ${((most * message.N) / REQUESTS).toFixed(3)} times the mean\n`));
}

async function killOne(running: Program): Promise<void> {
  await heading(`kill -9 for server2, at ${PER_SECOND} requests a second`);
  const load = startSteadyLoad(running.url, PER_SECOND, () => '/home');
  await sleep(PAUSE_MS);
  const struckMs = Date.now();
  process.kill(await replicaPid(running, 'server2'), 'SIGKILL');
  const limit = AbortSignal.timeout(10_000);
  const lost = await running.logged((line) => line.event === 'replica-lost', limit);
  const next = await running.logged((line) => line.event === 'replica-serving' && line.time >= lost.time, limit);
  const after = (time: string) => `${String(Math.max(1, Date.parse(time) - struckMs)).padStart(5)} ms`;
  say(`  ${after(lost.time)}  the balancer knows that ${red(`${lost.hostname}`)} is lost`);
  say(`  ${after(next.time)}  ${green(`${next.hostname}`)} serves in its place on the ring: no key has moved`);
  await sleep(PAUSE_MS);
  const requests = await load.stop();
  const failed = requests.filter(([, , , status]) => status !== 200).length;
  say(
    `  ${requests.length} requests went by meanwhile, ${failed === 0 ? green('0 failed') : red(`${failed} failed`)}\n`,
  );
}

async function addOne({ call }: Program): Promise<void> {
  await heading('One more');
  const body = { n: 1, hostnames: ['guest'] };
  const { message: dryRun } = JSON.parse((await call('POST', '/add?dry-run', body)).text);
  say(dim(`$ curl -X POST …/add?dry-run -d '${JSON.stringify(body)}'`));
  const strays = dryRun.moves.filter(({ to }: { to: string }) => to !== 'guest').length;
  const whereTo = strays === 0 ? 'all of them to the new one' : 'some of them between the old ones';
  say(`  would move ${(dryRun.moved * 100).toFixed(1)} % of all keys, ${whereTo}`);
  say(dim(`$ curl -X POST …/add -d '${JSON.stringify(body)}'`));
  say(`  ${(await call('POST', '/add', body)).text}\n`);
}
