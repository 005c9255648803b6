// `npm run conformance`: plays the cases of test/protocol/ against ours and every peer that is installed. Prints which
// cases failed, and writes the table of the results into lib/README.md.
//
//   npm run conformance -- nginx     one of them, with what was wrong, and no table

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { runCommand } from '../bench/command.ts';
import type { Case } from '../test/protocol/case.ts';
import { ALL_CASES } from '../test/protocol/cases/all.ts';
import { BLUNDERERS, CONTENDERS, ringmaster } from '../test/protocol/contenders.ts';
import { playAll, type Verdict } from '../test/protocol/run.ts';

const README = new URL('../lib/README.md', import.meta.url);
const MARKED = /(<!-- conformance -->)[\s\S]*?(<!-- \/conformance -->)/;
const LOTS = 4;
// A blunderer hangs in most cases, so it gets more lots.
const BLUNDERER_LOTS = 16;

const DUTIES: readonly string[] = [
  'framing of requests',
  'replies',
  'fields and targets',
  'Expect and early answers',
  'Upgrade',
  'retries and order',
  'limits',
  'errors',
];

const COMPARED = CONTENDERS.filter((contender) => contender !== ringmaster);

const results = new Map<string, readonly Verdict[]>();

await runCommand('conformance', readWords, ({ only }) => judge(only));

function readWords(words: readonly string[]): string | { only: string | undefined } {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: { help: { type: 'boolean' } },
  });
  const names = [...CONTENDERS, ...BLUNDERERS].map(({ name }) => name);
  if (values.help) return `Usage: npm run conformance -- [${names.join('|')}]\n`;
  const [only] = positionals;
  // Else none would be judged, and none would have failed.
  if (positionals.length > 1 || (only !== undefined && !names.includes(only))) {
    throw new Error(`takes one of ${names.join(', ')}, or nothing for all, not ${positionals.join(' ')}`);
  }
  return { only };
}

async function judge(only: string | undefined): Promise<void> {
  for (const contender of [...CONTENDERS, ...BLUNDERERS].filter(({ name }) => only === undefined || name === only)) {
    if (!contender.installed) {
      console.log(`${contender.name}: not installed`);
      continue;
    }
    // Cases that need an option of ours cannot be used to compare.
    const cases = COMPARED.includes(contender) ? ALL_CASES.filter((one) => !one.oursOnly) : ALL_CASES;
    const verdicts = await playAll(contender, cases, BLUNDERERS.includes(contender) ? BLUNDERER_LOTS : LOTS);
    results.set(contender.name, verdicts);
    for (const { one, faults } of verdicts.filter((verdict) => verdict.faults.length > 0)) {
      console.log(`${contender.name}, duty ${one.duty}: ${one.name}`);
      if (only !== undefined) for (const fault of faults) console.log(`    ${fault}`);
    }
    console.log(`${contender.name}: ${held(verdicts)} of ${verdicts.length}`);
  }
  if (only === undefined) {
    const others = [...results].filter(([name]) => name !== 'ringmaster').flatMap(([, verdicts]) => verdicts);
    const failed = new Set(others.filter(({ faults }) => faults.length > 0).map(({ one }) => one.name));
    for (const one of ALL_CASES.filter(({ name }) => !failed.has(name))) console.log(`failed by none: ${one.name}`);
    const text = readFileSync(README, 'utf8');
    writeFileSync(README, text.replace(MARKED, `$1\n${table()}\n$2`));
  }
  if (results.get('ringmaster')?.some(({ faults }) => faults.length > 0)) process.exitCode = 1;
}

function held(verdicts: readonly Verdict[]): number {
  return verdicts.filter(({ faults }) => faults.length === 0).length;
}

function table(): string {
  const names = [...results.keys()].filter((name) => CONTENDERS.some((contender) => contender.name === name));
  const row = (title: string, fits: (one: Case) => boolean) => {
    const cells = names.map((name) => {
      const verdicts = (results.get(name) ?? []).filter(({ one }) => fits(one));
      return verdicts.length === 0 ? '–' : `${held(verdicts)} of ${verdicts.length}`;
    });
    return `| ${[title, ...cells].join(' | ')} |`;
  };
  return [
    `| duty | ${names.map((name) => `${name} ${versionOf(name)}`.trim()).join(' | ')} |`,
    `| --- |${' --- |'.repeat(names.length)}`,
    ...DUTIES.map((title, index) => row(`${index + 1}. ${title}`, (one) => one.duty === index + 1 && !one.oursOnly)),
    row('all', (one) => !one.oursOnly),
    row('what only ours is asked', (one) => one.oursOnly === true),
  ].join('\n');
}

function versionOf(name: string): string {
  if (name === 'nginx') return firstNumber(execFileSync('sh', ['-c', '/usr/sbin/nginx -v 2>&1'], { encoding: 'utf8' }));
  if (name === 'HAProxy') return firstNumber(execFileSync('/usr/sbin/haproxy', ['-v'], { encoding: 'utf8' }));
  if (name !== 'http-proxy') return '';
  const manifest = new URL('../node_modules/http-proxy/package.json', import.meta.url);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

function firstNumber(text: string): string {
  return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? '';
}
