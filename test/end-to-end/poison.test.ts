// A request that kills whoever gets it, sent again and again among others to the real program.

import http from 'node:http';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { replicaPid } from '../../bench/harness/faults.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { openEvents } from '../fixtures/event-source.ts';

const SERVICE = fileURLToPath(new URL('../fixtures/mortal-service.js', import.meta.url));

async function start(t: Test, ...args: string[]): Promise<Program> {
  const options = ['--heartbeat-path', '/heartbeat', '--replica-output', 'off', ...args];
  const program = await startProgram([...options, '--', process.execPath, SERVICE]);
  t.teardown(() => program.stop());
  return program;
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterS: number;
}

/** A client with one connection. An answer that is cut off has the status 0. */
function client(t: Test, port: number) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  return (path: string, method = 'GET', body = '') =>
    new Promise<Answer>((resolve) => {
      const broken = (error: Error) => resolve({ status: 0, text: error.message, retryAfterS: 0 });
      const headers = body === '' ? {} : { 'Content-Length': body.length };
      const request = http.request({ port, agent, method, path, headers }, (response) => {
        let text = '';
        response.on('data', (bytes) => {
          text += bytes;
        });
        response.on('error', broken);
        const retryAfterS = Number(response.headers['retry-after'] ?? 0);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text, retryAfterS }));
      });
      request.on('error', broken);
      request.end(body);
    });
}

/** Clients that ask for what kills nobody until they are stopped. Resolves with what went wrong, and how many asked. */
function others(t: Test, port: number, clients: number) {
  const failures: string[] = [];
  let asked = 0;
  let isOver = false;
  const each = Array.from({ length: clients }, async (_, index) => {
    const ask = client(t, port);
    for (let count = 0; !isOver; count++) {
      const path = count % 3 === 0 ? '/home' : `/item/${index}/${count}?ms=${count % 4}`;
      const { status, text } = await ask(path);
      asked += 1;
      if (status !== 200 || text !== path) failures.push(`${path}: ${status} ${text}`);
    }
  });
  return async () => {
    isOver = true;
    await Promise.all(each);
    return { failures, asked };
  };
}

const lost = (program: Program) => program.log.filter(({ event }) => event === 'replica-lost').length;

for (const [what, path, method, body] of [
  ['a GET', '/poison', 'GET', ''],
  ['a POST, by its body', '/eat', 'POST', 'poison'],
  ['a GET that kills in the middle of its reply', '/half', 'GET', ''],
] as const) {
  t.test(`${what}, 1,000 times: two replicas are lost, nothing else fails, and it is told why`, async (t) => {
    const program = await start(t);
    const stop = others(t, program.port, 6);
    const ask = client(t, program.port);
    const answers = [];
    for (let count = 0; count < 1000; count++) answers.push(await ask(path, method, body));
    const { failures, asked } = await stop();
    t.same(failures, []);
    t.ok(asked > 50, `${asked} others were asked`);
    t.equal(lost(program), 2);
    const refused = answers.filter(({ status }) => status === 503);
    t.ok(refused.length >= 998, `${refused.length} were refused`);
    t.match(refused.at(-1)?.text, /"<Error> this request was in flight at two replicas that ended.*"status":"failure"/);
    t.match(
      program.log.filter(({ event }) => event === 'request-quarantined'),
      [{ level: 'warn', request: `${method} ${path}`, replicas: 2 }],
    );
    const retryAfterS = refused.at(-1)?.retryAfterS ?? 0;
    t.ok(retryAfterS > 0 && retryAfterS <= 60, `again in ${retryAfterS} s`);
    t.match((await program.json('/balancer/ring')).body, { quarantined: [{ request: `${method} ${path}` }] });
    const metrics = (await program.call('GET', '/balancer/metrics')).text;
    t.match(metrics, /^ringmaster_requests_quarantined 1$/m);
    t.match(metrics, /^ringmaster_replicas_poisoned_total 2$/m);
    t.match(metrics, /reason="poison"} \d{3,4}$/m);
    const events = await openEvents(`${program.url}/balancer/events`);
    t.teardown(() => events.close());
    const shown = [{ request: `${method} ${path}`, replicas: 2 }];
    t.match((await events.until('snapshot')).quarantined, shown);
    t.match((await events.until('traffic')).quarantined, shown);
  });
}

t.test('one that makes replicas hang is found out when heartbeats have convicted two', async (t) => {
  const program = await start(t);
  const stop = others(t, program.port, 2);
  const ask = client(t, program.port);
  for (let count = 0; count < 5; count++) t.match(await ask('/spin'), { status: 503, text: /two replicas that ended/ });
  t.same((await stop()).failures, []);
  t.equal(lost(program), 2);
});

t.test('asked by several at once it costs no more replicas than had it then, and one', async (t) => {
  const [replicas, clients] = [6, 3];
  const program = await start(t, '--replicas', String(replicas));
  const stop = others(t, program.port, 4);
  const each = Array.from({ length: clients }, async () => {
    const ask = client(t, program.port);
    for (let count = 0; count < 100; count++) t.match((await ask('/poison')).status, /^50[23]$/);
  });
  await Promise.all(each);
  t.same((await stop()).failures, []);
  t.ok(lost(program) <= clients + 1, `${lost(program)} are lost`);
});

t.test('when its time is over it may cost two replicas again, and not more', async (t) => {
  const program = await start(t, '--quarantine', '1s');
  const stop = others(t, program.port, 2);
  const ask = client(t, program.port);
  const ends = () => program.log.filter(({ event }) => event === 'quarantine-ended').length;
  while (ends() < 3) {
    await ask('/poison');
    t.ok(lost(program) <= 2 * (ends() + 1), `${lost(program)} are lost, and ${ends()} times were over`);
  }
  t.same((await stop()).failures, []);
});

t.test('what others kill is no poison: a request that replicas answer is not refused', async (t) => {
  const program = await start(t, '--replicas', '4');
  const stop = others(t, program.port, 8);
  for (let count = 1; count <= 5; count++) {
    const [victim = ''] = await program.hostnames();
    process.kill(await replicaPid(program, victim), 'SIGKILL');
    const { seat, incarnation } = await program.logged(
      ({ event, hostname }) => event === 'replica-lost' && hostname === victim,
    );
    await program.logged(
      (line) =>
        line.event === 'replica-serving' && line.seat === seat && Number(line.incarnation) > Number(incarnation),
    );
  }
  t.same((await stop()).failures, []);
  t.same(
    program.log.filter(({ event }) => event === 'request-quarantined'),
    [],
  );
});
