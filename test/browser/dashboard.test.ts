// The dashboard in a real browser, in front of the real program with real replicas. `SHOTS=folder` keeps pictures of
// it.

import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { axeViolations, browserMissing, openBrowser, openPage, watchPage } from '../fixtures/browser.ts';

const skip = browserMissing() ?? false;
const program = skip === false ? await startProgram() : (undefined as unknown as Program);
const browser = (skip === false ? await openBrowser(t) : undefined) as Browser;
t.teardown(() => program?.stop());
// A browser is slow on a busy machine.
t.setTimeout(500_000);

/** Opens the dashboard, runs `use` on it, and checks that the page did nothing wrong meanwhile. */
const visit = async (t: Test, options: BrowserContextOptions, use: (page: Page) => Promise<void>): Promise<void> => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  const { consoleErrors, foreignRequests } = watchPage(page, program.url);
  await openPage(page, `${program.url}/balancer/`);
  await page.locator('#connection[data-state="live"]').waitFor();
  await page.locator('#replicas tr').first().waitFor();
  await use(page);
  // The browser itself writes a refusal that a test provoked to the console.
  t.same(
    consoleErrors.filter((error) => !/status of 40[01]|ERR_FAILED/.test(error)),
    [],
    'no error on the console',
  );
  t.same(foreignRequests, [], 'no request to a foreign host');
};
const shoot = async (page: Page, name: string) => {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage: true });
};
const row = (page: Page, replica: string) => page.locator(`#replicas tr[data-replica="${replica}"]`);
const names = (page: Page) => page.locator('#replicas th .name').allTextContents();
const confirm = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

t.test('it shows the ring, the replicas and what happened', { skip }, (t) =>
  visit(t, {}, async (page) => {
    t.same(await names(page), ['server1', 'server2', 'server3']);
    t.equal(await page.locator('.arc').count(), 27);
    t.match(await page.locator('#ring').getAttribute('aria-label'), /512 slots.*server1 3\d\.\d %/);
    t.match(await page.locator('#log').textContent(), /joined.*server1 takes seat 1/);
    t.equal(await page.locator('#fact-serving').textContent(), '3 / 3');
    t.same(await page.locator('nav a:visible').evaluateAll((links) => links.map((link) => link.getAttribute('href'))), [
      '/',
      '/sample',
      '/balancer/',
    ]);
  }),
);

t.test('requests become numbers, bars and sparks', { skip }, (t) =>
  visit(t, {}, async (page) => {
    const painted = `(() => {
    const canvas = document.querySelector('canvas');
    return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0);
  })()`;
    t.equal(await page.evaluate(painted), false);
    for (let count = 0; count < 30; count++) await fetch(`${program.url}/home`);
    await page.waitForFunction(painted);
    await page.locator('#spread-ratio', { hasText: /max \/ mean 1\.\d\d · \d+ requests/ }).waitFor();
    t.equal(await page.locator('#spread li').count(), 3);
    await page.locator('#rate-chart .line').first().waitFor({ state: 'attached' });
    await page.locator('#latency-legend', { hasText: /p50 [\d.]+ ms.*p99 [\d.]+ ms/ }).waitFor();
  }),
);

t.test('a killed replica turns, and its seat comes back under a new name', { skip }, (t) =>
  visit(t, {}, async (page) => {
    // Collects every state that an arc of seat 2 has ever had, even for a moment.
    await page.evaluate(`
    window.seen = [];
    new MutationObserver(() => seen.push(document.querySelector('.arc[data-seat="2"]').dataset.state))
      .observe(document.querySelector('#ring'), { subtree: true, attributes: true, childList: true });
  `);
    await page.getByRole('button', { name: 'Kill server2' }).click();
    t.match(await page.locator('#change-text').textContent(), /server2 would end at once.*No slot moves/);
    await confirm(page, 'Kill it');
    await page.locator('#log li[data-what="died"]', { hasText: 'server2' }).waitFor();
    await page.locator('#log li[data-what="replaced"]', { hasText: 'in the place of server2' }).waitFor();
    await row(page, 'server2').waitFor({ state: 'detached' });
    const [first, second = '', third] = await names(page);
    await row(page, second).locator('.state', { hasText: 'serving' }).waitFor();
    t.match(second, /^server_/);
    t.same([first, third], ['server1', 'server3'], 'it stands where the one before it stood');
    t.same(new Set(await names(page)), new Set(await program.hostnames()));
    const seen = (await page.evaluate('seen')) as string[];
    t.ok(
      seen.some((state) => state === 'starting' || state === 'waiting'),
      `seat 2 was ${seen.join(', ')}`,
    );
    t.ok(await page.locator('#change').isHidden());
  }),
);

t.test('a change is drawn before it is made: add, cancel, add, remove', { skip }, (t) =>
  visit(t, {}, async (page) => {
    const before = await program.hostnames();
    await page.getByLabel('Hostname').fill('S5');
    await page.getByRole('button', { name: 'Add replica' }).click();
    await page.locator('.ghost.seat-4').first().waitFor();
    t.match(await page.locator('#change-text').textContent(), /S5 would take 2\d\.\d % of the slots/);
    t.match(await page.locator('#change-moves').textContent(), /\d\.\d % from server1 to S5/);
    await shoot(page, 'preview');
    await confirm(page, 'Cancel');
    t.equal(await page.locator('.ghost').count(), 0);
    t.same(await program.hostnames(), before, 'nothing was done');

    await page.getByLabel('Hostname').fill('S5');
    await page.keyboard.press('Enter');
    await confirm(page, 'Add it');
    await row(page, 'S5').locator('.state', { hasText: 'serving' }).waitFor();
    t.equal(await page.locator('.arc').count(), 36);
    t.same(await program.hostnames(), [...before, 'S5']);

    await page.getByRole('button', { name: 'Remove S5' }).click();
    await page.locator('.ghost').first().waitFor();
    await confirm(page, 'Remove it');
    await page.locator('#log li[data-what="drained"]', { hasText: 'S5' }).waitFor();
    await row(page, 'S5').waitFor({ state: 'detached' });
    t.equal(await page.locator('.arc').count(), 27);
    t.same(await program.hostnames(), before);
  }),
);

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`a replica is drained and undrained, ${colorScheme}`, { skip }, (t) =>
    visit(t, { colorScheme }, async (page) => {
      const arcs = page.locator('.arc[data-seat="1"][data-state="drained"]');
      const drain = page.getByRole('button', { name: 'Drain server1', exact: true });
      await drain.click();
      t.match(await page.locator('#change-text').textContent(), /server1 would take no new requests.*No slot moves/);
      await confirm(page, 'Drain it');
      await row(page, 'server1').locator('.state', { hasText: 'drained' }).waitFor();
      await page.locator('#log li[data-what="resting"]', { hasText: 'server1' }).first().waitFor();
      await arcs.first().waitFor();
      t.ok(await drain.isHidden());
      const right = async (shown: string) => {
        const box = await page.locator(shown).first().boundingBox();
        return (box?.x ?? 0) + (box?.width ?? 0);
      };
      t.ok((await right('#replicas .danger')) <= (await right('.fleet-card .scroll')), 'the last button is in sight');
      t.same(await axeViolations(page), []);
      await shoot(page, `drained-${colorScheme}`);
      t.match(await (await fetch(`${program.url}/balancer/ring`)).json(), { absent: { server1: 'drained' } });
      await page.getByRole('button', { name: 'Undrain server1' }).click();
      await confirm(page, 'Undrain it');
      await row(page, 'server1').locator('.state', { hasText: 'serving' }).waitFor();
      await page.locator('#log li[data-what="back"]', { hasText: 'server1' }).first().waitFor();
      await arcs.first().waitFor({ state: 'detached' });
    }),
  );
}

t.test('what the balancer refuses is said, and nothing changes', { skip }, (t) =>
  visit(t, {}, async (page) => {
    await page.getByLabel('Hostname').fill('<b>no</b>');
    await page.getByRole('button', { name: 'Add replica' }).click();
    await page.locator('#change.failed', { hasText: 'The hostname must be a letter or digit' }).waitFor();
    t.equal(await page.locator('#change b').count(), 0, 'text stays text');
  }),
);

t.test('a name that is there is not proposed', { skip }, (t) =>
  visit(t, {}, async (page) => {
    await page.getByLabel('Hostname').fill('SERVER1');
    await page.keyboard.press('Enter');
    await page.locator('#change.failed', { hasText: 'SERVER1 is there already.' }).waitFor();
    t.ok(await page.locator('#change-confirm').isHidden());
  }),
);

t.test(
  'what is proposed follows the fleet: with another ring it is another, and without its replica none',
  { skip },
  (t) =>
    visit(t, {}, async (page) => {
      const long = `a-very-long-name-${'x'.repeat(46)}`;
      const body = JSON.stringify({ n: 1, hostnames: [long] });
      await page.getByRole('button', { name: 'Add replica' }).click();
      await page.locator('#change-text', { hasText: /^A new replica would take 2\d\.\d %/ }).waitFor();
      await program.json('/add', { method: 'POST', body });
      await page
        .locator('#change-text', { hasText: /^The ring has changed meanwhile\. Now: .* take (19|20)\.\d %/ })
        .waitFor();
      await page.locator('.ghost.seat-5').first().waitFor();
      t.ok(await page.getByRole('button', { name: 'Add it' }).isVisible());
      const node = page.locator('#ring .node', { hasText: long });
      t.equal(await node.locator('.node-name').textContent(), 'a-very-long-nam…');
      t.equal(await node.locator('title').textContent(), long);

      await page.getByRole('button', { name: `Remove ${long}` }).click();
      await page.locator('#change-text', { hasText: 'would finish its requests and go' }).waitFor();
      await program.json('/rm?only-named', { method: 'DELETE', body });
      await page.locator('#change-text', { hasText: `${long} has gone meanwhile: nothing was done.` }).waitFor();
      t.ok(await page.locator('#change-confirm').isHidden());
      t.equal(await page.locator('.ghost').count(), 0);
    }),
);

t.test('the page removes nothing but what it names', { skip }, (t) =>
  visit(t, {}, async (page) => {
    const [first = ''] = await program.hostnames();
    const asked: string[] = [];
    await page.route('**/rm*', (route) => {
      asked.push(route.request().url().replace(/.*\//, ''));
      return asked.length === 1 ? route.continue() : route.abort();
    });
    await page.getByRole('button', { name: `Remove ${first}` }).click();
    await confirm(page, 'Remove it');
    await page.locator('#change.failed', { hasText: 'The balancer did not answer.' }).waitFor();
    t.same(asked, ['rm?dry-run&only-named', 'rm?only-named']);
  }),
);

t.test('a change that ends leaves alone what was proposed meanwhile', { skip }, (t) =>
  visit(t, {}, async (page) => {
    const held = Promise.withResolvers<void>();
    await page.route('**/add', async (route) => {
      await held.promise;
      await route.continue();
    });
    await page.getByLabel('Hostname').fill('S6');
    await page.keyboard.press('Enter');
    await confirm(page, 'Add it');
    await page.getByRole('button', { name: 'Kill server1' }).click();
    await page.getByRole('button', { name: 'Kill it' }).waitFor();
    const answered = page.waitForResponse('**/add');
    held.resolve();
    await (await answered).finished();
    await row(page, 'S6').locator('.state', { hasText: 'serving' }).waitFor();
    await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
    t.ok(await page.getByRole('button', { name: 'Kill it' }).isVisible());
    await program.json('/rm?only-named', { method: 'DELETE', body: '{"n": 1, "hostnames": ["S6"]}' });
  }),
);

t.test('a tab that nobody looks at gives its stream back, and takes it up again', { skip }, (t) =>
  visit(t, {}, async (page) => {
    const look = (state: 'hidden' | 'visible') =>
      page.evaluate(`Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'))`);
    const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/balancer/events'));
    await look('hidden');
    await ended;
    t.equal(await page.locator('#connection').textContent(), 'paused');
    await look('visible');
    await page.locator('#connection[data-state="live"]').waitFor();
  }),
);

for (const [name, options] of Object.entries<BrowserContextOptions>({
  'light and wide': { colorScheme: 'light' },
  'dark and wide': { colorScheme: 'dark' },
  'light and narrow': { colorScheme: 'light', viewport: { width: 360, height: 740 } },
  'dark and narrow': { colorScheme: 'dark', viewport: { width: 360, height: 740 }, reducedMotion: 'reduce' },
})) {
  t.test(`${name}: axe finds nothing, and nothing has to be scrolled sideways`, { skip }, (t) =>
    visit(t, options, async (page) => {
      for (let count = 0; count < 10; count++) await fetch(`${program.url}/home`);
      await page.getByRole('button', { name: 'Add replica' }).click();
      await page.locator('.ghost').first().waitFor();
      t.same(await axeViolations(page), []);
      const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
      t.ok(width <= (options.viewport?.width ?? 1280), `the page is ${width} wide`);
      const back = await page.evaluate('getComputedStyle(document.body).backgroundColor');
      t.equal(back === 'rgb(11, 14, 21)', options.colorScheme === 'dark');
      await shoot(page, name.replaceAll(' ', '-'));
    }),
  );
}

t.test('it says when the balancer is lost, and is live again when it is back', { skip }, async (t) => {
  const other = await startProgram(['--replicas', '1']);
  const page = await browser.newPage();
  t.teardown(() => page.close());
  await openPage(page, `${other.url}/balancer/`);
  await page.locator('#connection[data-state="live"]').waitFor();
  await other.stop();
  await page.locator('#connection', { hasText: 'reconnecting' }).waitFor();
  await row(page, 'server1').locator('.state', { hasText: 'was serving' }).waitFor();
  t.equal(await page.locator('#fact-serving').textContent(), '? / 1');
  t.equal(await page.locator('[data-state="serving"]:not(.arc, .node)').count(), 0, 'nothing stays green');
  const again = await startProgram(['--replicas', '2', '--port', String(other.port)]);
  t.teardown(() => again.stop());
  await page.locator('#connection[data-state="live"]').waitFor();
  await page.locator('#fact-serving', { hasText: '2 / 2' }).waitFor();
});
