// The dashboard's panel of keys, in a real browser. `SHOTS=folder` keeps pictures of it.

import type { Browser, BrowserContextOptions } from 'playwright-core';
import t, { type Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { axeViolations, browserMissing, openBrowser, openPage, watchPage } from '../fixtures/browser.ts';

const skip = browserMissing() ?? false;
const browser = (skip === false ? await openBrowser(t) : undefined) as Browser;
// A browser is slow on a busy machine.
t.setTimeout(480_000);

const start = async (t: Test, ...options: string[]) => {
  const program = await startProgram(options);
  t.teardown(() => program.stop());
  return program;
};

async function open(t: Test, program: Program, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const { consoleErrors, foreignRequests } = watchPage(page, program.url);
  await openPage(page, `${program.url}/balancer/`);
  await page.locator('#connection[data-state="live"]').waitFor();
  return { page, faults: () => [...consoleErrors, ...foreignRequests] };
}

const ask = async (program: Program, room: string, times: number, path = '/home') => {
  for (let count = 0; count < times; count++) await fetch(program.url + path, { headers: { 'x-room': room } });
};

t.test('without a key there is no panel of keys', { skip }, async (t) => {
  const program = await start(t);
  const { page, faults } = await open(t, program);
  const answered = await page.waitForResponse('**/balancer/keys');
  t.match(await answered.json(), { source: null });
  t.ok(await page.locator('#keys-card').isHidden());
  t.same(faults(), []);
});

t.test('with a key it tells how many are where they belong, and which keys are hot', { skip }, async (t) => {
  const program = await start(t, '--key', 'header:x-room,path');
  await ask(program, 'lobby', 6);
  const { page, faults } = await open(t, program);
  await page.locator('#keys-source', { hasText: 'header:x-room,path' }).waitFor();
  await page.locator('#keys-classes li', { hasText: 'header100.0 % at the owner · 0.0 % spilled6 requests' }).waitFor();
  const explained = await program.json('/balancer/explain', { method: 'POST', body: '{"key":"lobby"}' });
  const { key, slot, owner } = explained.body as { key: number; slot: number; owner: string };
  await page.locator('#keys-hot li', { hasText: `${owner}key ${key}, slot ${slot}100.0 % · 6` }).waitFor();

  // What goes past its owner shows, and only what came since the page was opened.
  await program.json('/balancer/drain', { method: 'POST', body: JSON.stringify({ hostname: owner }) });
  await ask(program, 'lobby', 3);
  await ask(program, '', 1, '/a/path');
  await page.locator('#keys-classes li', { hasText: 'header0.0 % at the owner · 100.0 % spilled3 requests' }).waitFor();
  await page.locator('#keys-classes li', { hasText: /^path.*1 request$/ }).waitFor();
  await page.locator('#keys-hot li', { hasText: `${owner}key ${key}, slot ${slot}90.0 % · 9` }).waitFor();
  t.same(faults(), []);
});

const SOURCES = 'header:x-room,path:/documents/{}/of/{},client';
const shown = skip === false ? await startProgram(['--key', SOURCES]) : (undefined as unknown as Program);
t.teardown(() => shown?.stop());

for (const [name, options] of Object.entries<BrowserContextOptions>({
  'light and wide': { colorScheme: 'light' },
  'dark and wide': { colorScheme: 'dark' },
  'light and narrow': { colorScheme: 'light', viewport: { width: 390, height: 844 } },
  'dark and narrow': { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
})) {
  t.test(`${name}: axe finds nothing, and nothing has to be scrolled sideways`, { skip }, async (t) => {
    for (const [room, times] of Object.entries({ lobby: 9, kitchen: 4, attic: 2 })) await ask(shown, room, times);
    await ask(shown, '', 1);
    const { page, faults } = await open(t, shown, options);
    await page.locator('#keys-hot li').nth(3).waitFor();
    t.same(await axeViolations(page), []);
    const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
    t.ok(width <= (options.viewport?.width ?? 1280), `the page is ${width} wide`);
    if (process.env.SHOTS) {
      await page
        .locator('#keys-card')
        .screenshot({ path: `${process.env.SHOTS}/keys-${name.replaceAll(' ', '-')}.png` });
    }
    t.same(faults(), []);
  });
}
