import { fileURLToPath } from 'node:url';
import t from 'tap';
import { openLoad } from '../../bench/harness/open-load.ts';
import { startProgram } from '../../bench/harness/program.ts';

const SERVICE = fileURLToPath(new URL('../../bench/harness/bounded-service.js', import.meta.url));
const SERVICE_MS = '40';
// Half of what three replicas can do, and four times as much.
const BEARABLE = 37;
const PER_SECOND = 300;
// No overload begins within 10 s after the replicas have come.
const BEARABLE_SECONDS = 12;
const LIMIT_MS = 120_000;

async function firstRefusal(url: string): Promise<{ retryAfter: string | null; body: string }> {
  for (;;) {
    const response = await fetch(`${url}/`);
    const body = await response.text();
    if (response.status === 503) return { retryAfter: response.headers.get('retry-after'), body };
  }
}

for (const workers of [1, 2]) {
  t.test(`an overload with ${workers} workers`, async (t) => {
    const options = ['--replicas', '3', '--workers', String(workers), '--', process.execPath, SERVICE];
    const program = await startProgram(options, { SERVICE_MS });
    t.teardown(() => program.stop());
    const enough = new AbortController();
    const rateAt = (second: number) => (second < BEARABLE_SECONDS ? BEARABLE : PER_SECOND);
    const load = openLoad(program.url, rateAt, LIMIT_MS / 1000, enough.signal);
    const { mostInFlight, mostWaiting } = await program.logged((line) => line.event === 'overload');
    const { retryAfter, body } = await firstRefusal(program.url);
    enough.abort();
    const statuses = new Set((await load).map(([, , status]) => status));
    t.ok(Number(mostInFlight) >= 6, `two for each replica at least, here ${mostInFlight}`);
    t.ok(Number(mostWaiting) < PER_SECOND, `and no long line, here ${mostWaiting}`);
    t.match(retryAfter, /^[1-4]$/, 'those turned away are told when to come back');
    t.match(JSON.parse(body), { status: 'failure', message: /more requests come than the replicas can do/ });
    t.same([...statuses].toSorted(), [200, 503], 'all others were answered');
    await program.logged((line) => line.event === 'overload-ended');
    const answers = await openLoad(program.url, () => BEARABLE, 2);
    t.ok(
      answers.every(([, , status]) => status === 200),
      'after it, all is as before',
    );
    t.notOk(
      program.log.some(({ event }) => event === 'replica-lost'),
      'no replica was lost for it',
    );
  });
}
