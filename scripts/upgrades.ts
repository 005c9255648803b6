// Upgrades the running program again and again under clients of all kinds, and counts what goes wrong:
//   node scripts/upgrades.ts [--count 100] [--workers 1]

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { endOnSignals } from '../bench/harness/children.ts';
import { startLastingLoad } from '../bench/harness/lasting-load.ts';
import { startProgram } from '../bench/harness/program.ts';
import { endOfBefore, stopNewest, upgrade } from '../bench/harness/upgrades.ts';

const LOAD = { newPerSecond: 500, kept: 64, streams: 20, sockets: 5 };
const SERVICE = fileURLToPath(new URL('../bench/harness/chatty-service.js', import.meta.url));

const { values } = parseArgs({
  options: { count: { type: 'string', default: '100' }, workers: { type: 'string', default: '1' } },
});
endOnSignals();
const count = Number(values.count);
const program = await startProgram([
  ...['--replicas', '3', '--workers', values.workers, '--grace', '2s', '--heartbeat-path', '/'],
  ...['--replica-output', 'off', '--', process.execPath, SERVICE],
]);
const load = startLastingLoad(program.port, LOAD);
await load.allServed();
const before = await rep();
let [lost, connections] = [0, 0];
for (let number = 1; number <= count; number++) {
  const upgraded = await upgrade(program);
  await load.allServed();
  const end = await endOfBefore(program, upgraded.before);
  lost += end.lost;
  connections += end.connections;
  const { refused, reset, failed } = load.totals;
  console.log(
    `upgrade ${number}: ${end.connections} connections at that moment, lost: ${end.lost}; ` +
      `so far ${refused} refused, ${reset} reset, ${failed} failed`,
  );
}
const same = (await rep()) === before;
const totals = await load.stop();
await stopNewest(program);
const { faults, ...numbers } = totals;
console.log(`${count} upgrades, ${connections} connections at those moments, lost: ${lost}`);
console.log(
  Object.entries(numbers)
    .map(([name, value]) => `${name} ${value}`)
    .join(', '),
);
console.log(same ? 'the replicas are the same' : 'the replicas are others');
for (const fault of faults) console.log(`  ${fault}`);
const isWell = same && lost + totals.refused + totals.reset + totals.failed === 0;
process.exit(isWell ? 0 : 1);

async function rep(): Promise<string> {
  return (await program.call('GET', '/rep')).text;
}
