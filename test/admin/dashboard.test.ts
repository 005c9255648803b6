// The dashboard's files as they are served, and what happens when the program or a watching client ends.

import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { openEvents } from '../fixtures/event-source.ts';

const program = await startProgram(['--replicas', '1']);
t.teardown(() => program.stop());
const get = (path: string) => fetch(program.url + path, { redirect: 'manual' });

t.test('/balancer leads to /balancer/, which is a page that may load nothing from elsewhere', async (t) => {
  const short = await get('/balancer');
  t.match([short.status, short.headers.get('location')], [308, '/balancer/']);
  const page = await get('/balancer/');
  t.match([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8']);
  t.equal(page.headers.get('x-content-type-options'), 'nosniff');
  const policy = page.headers.get('content-security-policy') ?? '';
  t.ok(policy.startsWith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"), policy);
  t.match(policy, /frame-ancestors 'none'/);
  t.notMatch(policy, /unsafe|http|\*/);
  const html = await page.text();
  t.notMatch(html, /<script(?![^>]* src="\/balancer\/)|<style|\sstyle=|\son\w+=/, 'nothing inline');
});

t.test('all that the page and its modules name is there', async (t) => {
  const asked = new Set<string>();
  const follow = async (path: string): Promise<void> => {
    if (asked.has(path)) return;
    asked.add(path);
    const answer = await get(path);
    t.equal(answer.status, 200, path);
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    const text = await answer.text();
    const named = [...text.matchAll(/(?:from '\.\/|(?:src|href)="\/balancer\/)([\w-]+\.\w+)/g)];
    for (const [, name] of named) await follow(`/balancer/${name}`);
  };
  await follow('/balancer/');
  t.ok(asked.size >= 10, `${asked.size} files`);
});

t.test('any other path there is a replica’s, and leads to no file', async (t) => {
  for (const path of ['/balancer/nothing', '/balancer/index.html', '/balancer/..%2fdashboard.ts']) {
    const answer = await get(path);
    t.equal(answer.status, 400);
    t.match(await answer.json(), { message: /endpoint does not exist in server replicas/ });
  }
  t.equal((await fetch(`${program.url}/balancer/`, { method: 'POST' })).status, 400);
});

t.test('services of somebody else are not killed', async (t) => {
  const other = await startProgram(['--upstream', `127.0.0.1:${program.port}`, '--heartbeat-path', '/rep']);
  t.teardown(() => other.stop());
  const body = JSON.stringify({ hostname: `127.0.0.1:${program.port}` });
  const answer = await other.json('/balancer/kill', { method: 'POST', body });
  t.match(answer, {
    status: 400,
    body: { message: /127\.0\.0\.1:\d+ is run by somebody else: nothing here can end it/ },
  });
  const source = await openEvents(`${other.url}/balancer/events`);
  t.match(await source.until('snapshot'), { startsReplicas: false, fleet: { seats: [{ isGiven: true }] } });
  source.close();
});

t.test('who watches does not hold up the end', async (t) => {
  const short = await startProgram(['--replicas', '1', '--grace', '60s']);
  const source = await openEvents(`${short.url}/balancer/events`);
  await source.until('snapshot');
  short.process.kill('SIGTERM');
  await source.ended;
  t.equal(await short.exited, 0);
});
