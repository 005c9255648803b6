// `npm run what-if -- access.log --now 6 --then 8 --key cookie:s --cache 2GiB`: plays the requests of access logs
// through the ring of fleets that there could be. lib/core/what-if/ plays, what-if/ reads and shows.

import { writeFileSync } from 'node:fs';
import { renderSvg } from '../bench/charts/render.ts';
import { whatIfChart, whatIfFinding } from '../bench/charts/what-if.ts';
import { runCommand } from '../bench/command.ts';
import { needsOf } from '../lib/core/what-if/needs.ts';
import { Player } from '../lib/core/what-if/player.ts';
import { predictionOf } from '../lib/core/what-if/prediction.ts';
import { readArguments, type WhatIf } from './what-if/arguments.ts';
import { eachLine, readingOf } from './what-if/lines.ts';
import { progress } from './what-if/progress.ts';
import { Requests } from './what-if/requests.ts';
import { printed } from './what-if/tables.ts';

await runCommand('what-if', readArguments, play);

async function play({ files, situations, options, cacheBytes, requests, target, json, svg }: WhatIf): Promise<void> {
  const { slots, virtualNodes } = options;
  const player = new Player(situations, { slots, virtualNodes, cacheBytes });
  const made = new Requests(requests, (request) => player.play(request));
  const reading = readingOf(files);
  const show = progress(reading);
  await eachLine(files, reading, (line) => {
    made.take(line);
    show(made.counts.lines);
  });
  made.end();
  show.end();
  for (const fault of made.faults) console.error(`what-if: ${fault}`);
  if (made.counts.broken > made.faults.length) console.error(`what-if: ${made.counts.broken} lines in all`);
  if (player.requests === 0) throw new Error('there is no request in it that a replica had');
  const prediction = predictionOf(player, cacheBytes);
  const needs = needsOf(prediction.situations, target);
  const told = { ...prediction, needs, lines: made.counts, late: made.late, notes: [...made.notes] };
  process.stdout.write(json ? `${JSON.stringify(told)}\n` : printed(prediction, needs, made));
  if (svg === undefined) return;
  const words = { title: 'What if: predictions of a fleet', finding: whatIfFinding(prediction), notes: [] };
  writeFileSync(svg, await renderSvg(whatIfChart(prediction), words));
}
