// A page of another port in a real browser, as `python3 -m http.server 8000` would serve it. Through the balancer it
// can read /home and /heartbeat, but it cannot vote, change or read anything else.

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { browserMissing, openBrowser, openPage } from '../fixtures/browser.ts';

const missing = browserMissing();
t.setTimeout(240_000);

t.test('a page of another origin', missing === undefined ? { timeout: 240_000 } : { skip: missing }, async (t) => {
  const browser = (await openBrowser(t)) as Browser;
  const program = await startProgram(['--replicas', '1']);
  t.teardown(() => program.stop());
  const elsewhere = http.createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>hello'));
  elsewhere.listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  t.teardown(() => {
    elsewhere.closeAllConnections();
    elsewhere.close();
  });
  const page = await browser.newPage();
  await openPage(page, `http://localhost:${(elsewhere.address() as AddressInfo).port}/`);
  const ours = `http://localhost:${program.port}`;
  /** What that page's script gets to see of the answer. */
  const read = (path: string, init: RequestInit = {}): Promise<string> =>
    page.evaluate(
      `fetch(${JSON.stringify(ours + path)}, ${JSON.stringify(init)}).then(
        async (response) => response.status + ' ' + (await response.text()), () => 'blocked')`,
    );

  t.equal(await read('/home'), '200 {"message":"Hello from Server: server1","status":"successful"}');
  t.equal(await read('/heartbeat'), '200 ');
  t.match(await read('/home', { headers: { 'X-Mine': '1', 'Cache-Control': 'no-cache' } }), /^200 /, 'asked for first');

  for (const path of ['/rep', '/balancer/ring', '/balancer/ready', '/api/votes', '/', '/other'])
    t.equal(await read(path), 'blocked', path);
  const vote = { method: 'POST', body: '{"option":"helm"}' };
  t.equal(await read('/api/vote', vote), 'blocked');
  t.equal(await read('/api/vote', { ...vote, headers: { 'Content-Type': 'application/json' } }), 'blocked');
  await read('/api/vote', { ...vote, mode: 'no-cors' });
  await read('/add', { method: 'POST', body: '{"n":1}', mode: 'no-cors' });
  t.match(await program.json('/api/votes'), { body: { helm: 0 } }, 'no vote was counted');
  t.equal((await program.hostnames()).length, 1, 'nor a replica added');
});
