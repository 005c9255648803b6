// The voting site and the sample site in a real browser, through the ring. With SCREENSHOTS=directory it keeps
// pictures.

import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { replicaPid } from '../../bench/harness/faults.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import {
  axeViolations,
  browserMissing,
  openBrowser,
  openPage,
  type PageFaults,
  watchPage,
} from '../fixtures/browser.ts';

const missing = browserMissing();
// A browser is slow on a busy machine.
t.setTimeout(240_000);

const VIEWS: Readonly<Record<string, BrowserContextOptions>> = {
  'wide and light': { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  'wide and dark': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  narrow: { viewport: { width: 360, height: 740 }, colorScheme: 'light', hasTouch: true },
  'as narrow as can be, dark, without motion': {
    viewport: { width: 320, height: 640 },
    colorScheme: 'dark',
    reducedMotion: 'reduce',
  },
};

/** Resolves when the element shows that text. */
const shows = (page: Page, selector: string, text: string | RegExp) =>
  page.locator(selector).filter({ hasText: text }).waitFor({ timeout: 10_000 });
const shown = async (page: Page, selector: string) => (await page.textContent(selector))?.trim() ?? '';
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
const exactly = (count: number) => new RegExp(`^${count}$`);

async function screenshot(page: Page, name: string): Promise<void> {
  const directory = process.env.SCREENSHOTS;
  if (directory === undefined) return;
  await page.mouse.move(0, 0);
  await page.evaluate('scrollTo(0, 0)');
  // Waits for transitions to finish, but only if somebody wants pictures.
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(directory, `${name.replaceAll(/[ ,]+/g, '-')}.png`) });
}

t.test('the site in chromium', missing === undefined ? { timeout: 240_000 } : { skip: missing }, async (t) => {
  const browser = (await openBrowser(t)) as Browser;

  const start = async (t: Test, ...args: string[]): Promise<Program> => {
    const program = await startProgram(args);
    t.teardown(() => program.stop());
    return program;
  };
  const visit = async (t: Test, url: string, options: BrowserContextOptions = {}) => {
    const context = await browser.newContext(options);
    t.teardown(() => context.close());
    const page = await context.newPage();
    const faults = watchPage(page, new URL(url).origin);
    await openPage(page, url);
    return { page, faults };
  };
  const clean = (t: Test, { consoleErrors, foreignRequests }: PageFaults) => {
    t.same(consoleErrors, [], 'no console error');
    t.same(foreignRequests, [], 'no request to a foreign host');
  };

  t.test('as it looks', async (t) => {
    const program = await start(t, '--replicas', '4');
    for (const [view, options] of Object.entries(VIEWS)) {
      t.test(`${view}: a vote is counted, shown and said; nothing is wrong with the page`, async (t) => {
        const { kubernetes, helm } = (await program.json('/api/votes')).body as Record<string, number>;
        const { page, faults } = await visit(t, program.url, options);
        await shows(page, '#live', /^live$/);
        t.match(await shown(page, '#live-from'), /^server[1234]$/);
        await page.click('button[value=kubernetes]');
        await shows(page, '#kubernetes-votes', exactly((kubernetes ?? 0) + 1));
        await shows(page, '#status', /^Your vote for kubernetes was counted by server[1234]\.$/);
        t.match(await shown(page, '#voted-by'), /^server[1234]$/);
        await page.click('button[value=kubernetes]');
        await page.click('button[value=helm]');
        await shows(page, '#kubernetes-votes', exactly((kubernetes ?? 0) + 2));
        await shows(page, '#helm-votes', exactly((helm ?? 0) + 1));
        await shows(page, '#helm-share', '33 %');
        t.same(await axeViolations(page), []);
        t.ok(
          await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
          'nothing to scroll to the side',
        );
        await screenshot(page, `vote ${view}`);
        clean(t, faults);
      });

      t.test(`${view}: the sample site shows where requests land`, async (t) => {
        const { page, faults } = await visit(t, `${program.url}/sample`, options);
        await page.click('text="Send 1"');
        await shows(page, '#status', 'Done: 1 sent.');
        await page.click('text="Send 100"');
        await shows(page, '#status', 'Done: 100 sent. 4 replicas answered 101 in all');
        const counts = (await page.locator('#replicas .count').allTextContents()).map(Number);
        t.same(await page.locator('#replicas .name').allTextContents(), ['server1', 'server2', 'server3', 'server4']);
        t.equal(sum(counts), 101);
        t.equal(await shown(page, '#imbalance'), (Math.max(...counts) / (101 / 4)).toFixed(2));
        t.equal(await shown(page, '#failed'), '0');
        t.same(await axeViolations(page), []);
        t.ok(
          await page.evaluate('document.documentElement.scrollWidth <= innerWidth'),
          'nothing to scroll to the side',
        );
        await screenshot(page, `sample ${view}`);
        clean(t, faults);
      });
    }

    t.test('1,000 requests of a browser land evenly', async (t) => {
      const { page } = await visit(t, `${program.url}/sample`);
      await page.click('text="Send 1,000"');
      await page.locator('#status').filter({ hasText: 'Done: 1,000 sent.' }).waitFor({ timeout: 60_000 });
      t.equal(sum((await page.locator('#replicas .count').allTextContents()).map(Number)), 1000);
      t.ok(Number(await shown(page, '#imbalance')) < 1.2, await shown(page, '#imbalance'));
    });
  });

  t.test('dark is dark, and light is light', async (t) => {
    const program = await start(t);
    const paper = async (colorScheme: 'dark' | 'light') => {
      const { page } = await visit(t, program.url, { colorScheme });
      const colour = String(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
      return Math.max(...(colour.match(/\d+/g) ?? []).slice(0, 3).map(Number));
    };
    t.ok((await paper('dark')) < 60);
    t.ok((await paper('light')) > 220);
  });

  t.test(
    'the replica that served is killed: the next vote is counted by another, and the counts stay live',
    async (t) => {
      const program = await start(t);
      const { page } = await visit(t, program.url);
      const other = await visit(t, program.url);
      await shows(page, '#live', /^live$/);
      await page.click('button[value=docker]');
      await shows(page, '#docker-votes', exactly(1));
      // Kills the replica that counted the vote, and then the one that streams.
      for (const [round, selector] of ['#voted-by', '#live-from'].entries()) {
        const killed = await shown(page, selector);
        const pid = await replicaPid(program, killed);
        process.kill(pid, 'SIGKILL');
        await page.click('button[value=docker]');
        await shows(page, '#docker-votes', exactly(2 + round));
        t.not(await shown(page, '#voted-by'), killed);
        await page.locator('#live-from', { hasNotText: killed }).waitFor();
        await shows(page, '#live', /^live$/);
      }
      await other.page.click('button[value=helm]');
      await shows(page, '#helm-votes', exactly(1));
      t.same((await program.json('/api/votes')).body, { docker: 3, helm: 1, kubernetes: 0, prometheus: 0 });
    },
  );

  t.test('two browsers see each other’s votes', async (t) => {
    const program = await start(t);
    const [one, other] = await Promise.all([visit(t, program.url), visit(t, program.url)]);
    await one.page.click('button[value=helm]');
    await shows(other.page, '#helm-votes', exactly(1));
    await other.page.click('button[value=prometheus]');
    await shows(one.page, '#prometheus-votes', exactly(1));
    clean(t, one.faults);
    clean(t, other.faults);
  });

  t.test('a vote whose answer was lost is sent again by the page, and counted once', async (t) => {
    const program = await start(t);
    const { page } = await visit(t, program.url);
    const keys: (string | undefined)[] = [];
    await page.route('**/api/vote', async (route) => {
      keys.push(route.request().headers()['idempotency-key']);
      if (keys.length > 2) return route.continue();
      // The vote is counted, but the page never gets the answer.
      await route.fetch();
      return route.abort();
    });
    await page.click('button[value=helm]');
    await shows(page, '#status', /^Your vote for helm was counted by /);
    t.equal(keys.length, 3);
    t.match(keys[0], /^[0-9a-f]{32}$/);
    t.equal(new Set(keys).size, 1);
    t.same((await program.json('/api/votes')).body, { docker: 0, helm: 1, kubernetes: 0, prometheus: 0 });
    await page.click('button[value=helm]');
    await shows(page, '#helm-votes', exactly(2));
    t.not(keys[3], keys[0], 'the next vote is another one');
  });

  t.test('a vote that cannot be counted: the reason is said, and the next click goes on with its key', async (t) => {
    const program = await start(t);
    const { page } = await visit(t, program.url);
    const keys = new Set<string | undefined>();
    let down = true;
    let message = 'the vote was not counted: the disk is full';
    await page.route('**/api/vote', (route) => {
      keys.add(route.request().headers()['idempotency-key']);
      const body = JSON.stringify({ message: `<Error> ${message}`, status: 'failure' });
      return down ? route.fulfill({ status: 503, contentType: 'application/json', body }) : route.continue();
    });
    await page.clock.install();
    await page.click('button[value=helm]');
    await shows(page, '#status', /the disk is full\. Trying again/);
    while (!/Press helm/.test(await shown(page, '#status'))) await page.clock.runFor(1000);
    await shows(page, '#status', /^Your vote for helm was not counted: .* the disk is full\. Press helm to try again/);
    message = 'the vote may have been counted: Redis did not answer';
    await page.click('button[value=helm]');
    await shows(page, '#status', /Redis did not answer\. Trying again/);
    while (!/Press helm/.test(await shown(page, '#status'))) await page.clock.runFor(1000);
    await shows(
      page,
      '#status',
      /^Your vote for helm may not have been counted: .* not answer\. Press helm to try again/,
    );
    down = false;
    await page.click('button[value=helm]');
    await shows(page, '#helm-votes', exactly(1));
    t.equal(keys.size, 1);
  });

  t.test('two votes for one option that got no answer: it is said so, and both go on with their keys', async (t) => {
    const program = await start(t);
    const { page } = await visit(t, program.url);
    const keys: (string | undefined)[] = [];
    let down = true;
    await page.route('**/api/vote', (route) => {
      keys.push(route.request().headers()['idempotency-key']);
      return down ? route.abort() : route.continue();
    });
    await page.clock.install();
    const pending = (count: number) => page.locator(`button[value=helm][data-pending="${count}"]`).waitFor();
    for (let count = 0; count < 2; count++) await page.click('button[value=helm]');
    await pending(2);
    while ((await page.getAttribute('button[value=helm]', 'data-pending')) !== '0') await page.clock.runFor(1000);
    await shows(page, '#status', /^Your vote for helm may not have been counted: no answer came\. Press helm/);
    t.equal(new Set(keys).size, 2);
    down = false;
    for (let count = 1; count <= 2; count++) {
      await page.click('button[value=helm]');
      await shows(page, '#helm-votes', exactly(count));
    }
    t.equal(new Set(keys).size, 2, 'no new key');
    await page.click('button[value=helm]');
    await shows(page, '#helm-votes', exactly(3));
    t.equal(new Set(keys).size, 3);
  });

  t.test('a late answer to a vote does not set the counts back', async (t) => {
    const program = await start(t);
    const { page } = await visit(t, program.url);
    await shows(page, '#live', /^live$/);
    const held = Promise.withResolvers<void>();
    await page.route('**/api/vote', async (route) => {
      const response = await route.fetch();
      await held.promise;
      await route.fulfill({ response });
    });
    await page.click('button[value=helm]');
    await shows(page, '#helm-votes', exactly(1));
    for (const option of ['helm', 'docker']) {
      await program.json('/api/vote', { method: 'POST', body: JSON.stringify({ option }) });
    }
    await shows(page, '#helm-votes', exactly(2));
    await shows(page, '#docker-votes', exactly(1));
    held.resolve();
    await shows(page, '#status', /^Your vote for helm was counted by /);
    t.equal(await shown(page, '#helm-votes'), '2');
    t.equal(await shown(page, '#docker-votes'), '1');
  });

  t.test('without a stream the counts are polled, and live again when there is one', async (t) => {
    const program = await start(t);
    const context = await browser.newContext();
    t.teardown(() => context.close());
    const page = await context.newPage();
    await page.route('**/api/votes/stream', (route) => route.fulfill({ status: 503, body: '{}' }));
    await openPage(page, program.url);
    await shows(page, '#live', 'every 2 s');
    await program.json('/api/vote', { method: 'POST', body: '{"option":"docker"}' });
    await shows(page, '#docker-votes', exactly(1));
    await page.unroute('**/api/votes/stream');
    await shows(page, '#live', /^live$/);
  });

  t.test('a tab that nobody looks at gives its stream back, and takes it up again', async (t) => {
    const program = await start(t);
    const { page, faults } = await visit(t, program.url);
    await shows(page, '#live', /^live$/);
    const look = (state: 'hidden' | 'visible') =>
      page.evaluate(`Object.defineProperty(document, 'visibilityState', { value: '${state}', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'))`);
    const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/api/votes/stream'));
    await look('hidden');
    await ended;
    await program.json('/api/vote', { method: 'POST', body: '{"option":"docker"}' });
    t.equal(await shown(page, '#docker-votes'), '0');
    await look('visible');
    await shows(page, '#docker-votes', exactly(1));
    clean(t, faults);
  });

  t.test('with the keyboard alone: every option is reached, seen to have the focus, and voted for', async (t) => {
    const program = await start(t);
    const { page, faults } = await visit(t, program.url);
    const reached: string[] = [];
    for (let presses = 0; reached.length < 4 && presses < 20; presses++) {
      await page.keyboard.press('Tab');
      const value = String(await page.evaluate('document.activeElement.value ?? ""'));
      if (value === '') continue;
      t.equal(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'solid');
      await page.keyboard.press(reached.length % 2 === 0 ? 'Enter' : 'Space');
      reached.push(value);
      await shows(page, `#${value}-votes`, exactly(1));
    }
    t.same(reached, ['docker', 'helm', 'kubernetes', 'prometheus']);
    clean(t, faults);
  });

  t.test('a sample that is cleared while it runs leaves nothing behind', async (t) => {
    const program = await start(t);
    const { page, faults } = await visit(t, `${program.url}/sample`);
    await page.click('text="Send 1,000"');
    await shows(page, '#seen', /[123]/);
    await page.click('text="Clear"');
    await page.click('text="Send 1"');
    await shows(page, '#status', 'Done: 1 sent.');
    t.equal(await shown(page, '#answered'), '1');
    await page.click('text="Send 1,000"');
    await shows(page, '#answered', /\d\d/);
    await page.click('text="Clear"');
    await page.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
    t.equal(await shown(page, '#status'), 'Nothing sent yet.');
    t.equal(await shown(page, '#rate'), '–');
    clean(t, faults);
  });

  t.test('a sample that is stopped ends at once, and says how far it came', async (t) => {
    const program = await start(t);
    const { page, faults } = await visit(t, `${program.url}/sample`);
    await page.click('text="Send 1,000"');
    await shows(page, '#seen', /[123]/);
    await page.click('text="Stop"');
    await shows(page, '#status', /^Stopped after \d+ of 1,000\./);
    t.ok(Number(await shown(page, '#answered')) < 1000);
    await page.click('text="Clear"');
    await shows(page, '#status', 'Nothing sent yet.');
    t.equal(await shown(page, '#answered'), '0');
    clean(t, faults);
  });
});
