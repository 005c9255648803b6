// What the dashboard teaches with, in a real browser: where a key goes and why, the built-in load, the pace of the
// picture, the page for a room, and a view of 64 replicas. `SHOTS=folder` keeps pictures of it.

import { createServer } from 'node:http';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { axeViolations, browserMissing, openBrowser, openPage, watchPage } from '../fixtures/browser.ts';
import { eventually } from '../fixtures/eventually.ts';

const skip = browserMissing() ?? false;
const program =
  skip === false ? await startProgram(['--key', 'header:X-Key,request']) : (undefined as unknown as Program);
const browser = (skip === false ? await openBrowser(t) : undefined) as Browser;
t.teardown(() => program?.stop());
t.setTimeout(400_000);
// On a busy machine a page takes its time. What never comes is told from what is late.
const WAIT_MS = 90_000;

const visit = async (
  t: Test,
  options: BrowserContextOptions,
  use: (page: Page) => Promise<void>,
  { url, hash = '' }: { url: string; hash?: string } = program,
) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, ...options });
  t.teardown(() => context.close());
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const { consoleErrors, foreignRequests } = watchPage(page, url);
  await openPage(page, `${url}/balancer/${hash}`);
  await page.locator('#connection[data-state="live"]').waitFor();
  await page.locator('#replicas tr').first().waitFor({ state: 'attached' });
  await use(page);
  t.same(
    consoleErrors.filter((error) => !/status of 40[01]/.test(error)),
    [],
    'no error on the console',
  );
  t.same(foreignRequests, [], 'no request to a foreign host');
};
const shoot = async (page: Page, name: string) => {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage: true });
};
const steps = (page: Page) => page.locator('#explain-steps li').allTextContents();
const explain = async (page: Page, key: string) => {
  await page.getByLabel('Where does a key go?').fill(key);
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.locator('#explain-steps li').first().waitFor();
};
const ground = (page: Page) =>
  page.evaluate("getComputedStyle(document.querySelector('#change-confirm')).backgroundColor");
const answerOf = async (key: string) =>
  (await program.json('/balancer/explain', { method: 'POST', body: JSON.stringify({ key }) })).body as unknown as {
    slot: number;
    order: string[];
    replica: string;
  };

t.test('a key is explained: its slot, the owner, who is passed over and why, and who takes it', { skip }, (t) =>
  visit(t, {}, async (page) => {
    const { slot, order } = await answerOf('alice');
    const [owner = '', next = ''] = order;
    await explain(page, 'alice');
    t.match(await steps(page), [
      `The key alice hashes to slot ${slot} of 512.`,
      /owns the slot\.$/,
      `${owner} takes it.`,
    ]);
    t.match((await steps(page))[1], owner);
    t.ok((await page.locator('#ring .walk-line').count()) >= 2, 'the way is drawn');
    t.same(await axeViolations(page), []);
    await program.json('/balancer/drain', { method: 'POST', body: JSON.stringify({ hostname: owner }) });
    await page.locator(`#replicas tr[data-replica="${owner}"] .state`, { hasText: 'drained' }).waitFor();
    t.ok(await page.locator('#explain-steps').isHidden(), 'what was said holds no more');
    await explain(page, 'alice');
    const [, , passed, taken] = await steps(page);
    t.equal(passed, `${owner} is passed over: it is drained.`);
    t.match(taken, new RegExp(`^${next} \\(seat \\d\\) takes it, by its virtual node at slot \\d+\\.$`));
    await shoot(page, 'explain');
    await program.json('/balancer/undrain', { method: 'POST', body: JSON.stringify({ hostname: owner }) });
    await page.locator(`#replicas tr[data-replica="${owner}"] .state`, { hasText: 'serving' }).waitFor();
    await explain(page, '<b>x</b>');
    t.match(await steps(page), [/^The key <b>x<\/b> hashes/]);
    await page.getByRole('button', { name: 'Clear' }).click();
    t.equal(await page.locator('#ring .walk-line').count(), 0);
  }),
);

t.test('a slot that is clicked is explained, and so is a spark of a picture that stands', { skip }, (t) =>
  visit(t, {}, async (page) => {
    const stage = page.locator('#stage');
    const { width = 0 } = (await stage.boundingBox()) ?? {};
    const scale = width / 640;
    // Half past twelve: a little after slot 0.
    await stage.click({ position: { x: 322 * scale, y: 68 * scale } });
    t.equal((await steps(page))[0], 'A request at slot 0:');
    t.match((await steps(page)).at(-1), /^server\d takes it\.$/);

    await page.getByRole('button', { name: 'Slow' }).click();
    for (let count = 0; count < 5; count++) await fetch(`${program.url}/home`);
    // The brightest point of the canvas is in a spark.
    const found = `(() => {
      const canvas = document.querySelector('#sparks');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      for (let index = 3; index < data.length; index += 4) {
        if (data[index] !== 255) continue;
        const pixel = (index - 3) / 4;
        const ratio = canvas.clientWidth / canvas.width;
        return { x: (pixel % canvas.width) * ratio, y: Math.floor(pixel / canvas.width) * ratio };
      }
    })()`;
    await eventually('a spark is drawn', async () => (await page.evaluate(found)) != null);
    await page.getByRole('button', { name: 'Paused' }).click();
    const position = (await page.evaluate(found)) as { x: number; y: number };
    await stage.click({ position });
    t.match((await steps(page))[0], /^This request landed on slot \d+\.$/);
    await page.waitForTimeout(1500);
    t.same(await page.evaluate(found), position, 'the picture stands');
  }),
);

t.test('the built-in load begins, has a hot key, says what it did, and ends', { skip }, (t) =>
  visit(t, {}, async (page) => {
    const status = page.locator('#load-status');
    const counts = async () => {
      const [, sent = '', failed = ''] =
        /([\d,]+) sent, ([\d,]+) failed/.exec((await status.textContent()) ?? '') ?? [];
      return { sent: Number(sent.replaceAll(',', '')), failed: Number(failed.replaceAll(',', '')) };
    };
    await page.getByRole('combobox', { name: 'Keys' }).selectOption('hot');
    // Few, so that a busy machine answers them too.
    await page.getByRole('button', { name: '10/s' }).click();
    await page.locator('#load button[value="10"][aria-pressed="true"]').waitFor();
    await page
      .locator('#load-status', { hasText: /^GET \/home, one hot key, ends in [0-5]:\d\d: [\d,]+ sent, [\d,]+ failed/ })
      .waitFor();
    // The more have come, the nearer to a half it is. With keys that come alike it would be a two-hundredth.
    await eventually(
      'half of all have one key',
      async () => {
        const { keys } = (await program.json('/balancer/keys')).body as unknown as { keys: { part: number }[] };
        return (keys[0]?.part ?? 0) > 0.35 && (await counts()).sent >= 20;
      },
      WAIT_MS,
    );
    // How uneven they land depends on how many are under way, and so on the machine.
    await page.locator('#spread-ratio', { hasText: /max \/ mean [123]\.\d\d · [\d,]+ requests/ }).waitFor();
    t.same(await axeViolations(page), []);
    await page.getByRole('button', { name: 'Off' }).click();
    await page.locator('#load-status', { hasText: /^Ended: [\d,]+ sent, [\d,]+ failed/ }).waitFor();
    const { sent, failed } = await counts();
    t.ok(failed < sent / 2, `${failed} of ${sent} failed`);
    t.ok(await status.isVisible());
  }),
);

t.test('Escape closes what asks, and what ends a replica is red', { skip }, (t) =>
  visit(t, { viewport: { width: 390, height: 844 } }, async (page) => {
    await page.getByRole('button', { name: 'Kill server3' }).click();
    const confirm = page.getByRole('button', { name: 'Kill it' });
    await confirm.waitFor();
    const { y = 0, height = 0 } = (await confirm.boundingBox()) ?? {};
    t.ok(y >= 0 && y + height <= 844, 'it is in view, however far down the button was');
    const red = 'rgb(196, 50, 28)';
    t.equal(await ground(page), red);
    await shoot(page, 'kill-narrow');
    await page.keyboard.press('Escape');
    t.ok(await page.locator('#change').isHidden());
    await page.getByRole('button', { name: 'Add replica' }).click();
    const add = page.getByRole('button', { name: 'Add it' });
    await add.waitFor();
    t.not(await ground(page), red);
    await page.keyboard.press('Escape');
    t.ok(await page.locator('#change').isHidden());
    t.equal(await page.evaluate('document.activeElement.id'), 'add-hostname', 'and gives the focus back');
  }),
);

for (const colorScheme of ['light', 'dark'] as const) {
  t.test(`the page for a room fills 1920 × 1080 with text that can be read there, ${colorScheme}`, { skip }, (t) =>
    visit(
      t,
      { viewport: { width: 1920, height: 1080 }, colorScheme },
      async (page) => {
        for (let count = 0; count < 10; count++) await fetch(`${program.url}/home`);
        await explain(page, 'alice');
        const facts = (await page.evaluate(`(() => {
          const shown = [...document.querySelectorAll('body *')].filter((element) =>
            [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '') &&
            element.checkVisibility() && element.getClientRects().length > 0 && !element.closest('.arcs, title, select'));
          const sizeOf = (element) => {
            const matrix = element.ownerSVGElement ? element.getScreenCTM().a : 1;
            return Number.parseFloat(getComputedStyle(element).fontSize) * matrix;
          };
          const small = shown.filter((element) => sizeOf(element) < 20);
          const { documentElement: { scrollWidth, scrollHeight } } = document;
          const stage = document.querySelector('#stage').getBoundingClientRect();
          return { small: small.map((one) => one.outerHTML), scrollWidth, scrollHeight, stage: stage.height };
        })()`)) as { small: string[]; scrollWidth: number; scrollHeight: number; stage: number };
        t.same(facts.small, [], 'no text is smaller than a fiftieth of the height');
        t.same([facts.scrollWidth, facts.scrollHeight], [1920, 1080], 'nothing has to be scrolled');
        t.ok(facts.stage > 900, `the ring is ${facts.stage} high`);
        t.same(await axeViolations(page), []);
        await shoot(page, `present-${colorScheme}`);
        await page.keyboard.press('Escape');
        t.ok(await page.getByRole('button', { name: 'Add replica' }).isVisible());
        t.equal(await page.evaluate('location.hash'), '');
      },
      { url: program.url, hash: '#present' },
    ),
  );
}

t.test('64 replicas: told apart, sorted, filtered and searched, all of one at once', { skip }, async (t) => {
  const served = new Map<number, number>();
  const services = Array.from({ length: 64 }, (_, index) =>
    createServer((_, response) => {
      served.set(index, (served.get(index) ?? 0) + 1);
      response.end('ok');
    }),
  );
  await Promise.all(services.map((one) => new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve))));
  const names = services.map((one) => `127.0.0.1:${(one.address() as { port: number }).port}`);
  const many = await startProgram(['--upstream', names.join(','), '--max-replicas', '64']);
  t.teardown(async () => {
    await many.stop();
    for (const one of services) {
      one.closeAllConnections();
      one.close();
    }
  });
  await visit(
    t,
    { viewport: { width: 1280, height: 720 } },
    async (page) => {
      await page.locator('#replicas tr').nth(63).waitFor();
      const looks = (await page.evaluate(`[...document.querySelectorAll('#ring .node')].map((node) =>
        node.getAttribute('class').replace(' picked', '') + ' ' + node.querySelector('.node-number').textContent)`)) as string[];
      t.equal(new Set(looks).size, 64, 'colour, shape and number together are of one seat');
      const bare = looks.slice(0, 32).map((look) => look.replace(/ \d+$/, ''));
      t.equal(new Set(bare).size, 32, 'without their numbers too, up to 32');
      const overlap = (await page.evaluate(`(() => {
        const boxes = [...document.querySelectorAll('#ring .node-disc')].map((one) => one.getBBox());
        const centre = ({ x, y, width, height }) => [x + width / 2, y + height / 2];
        return boxes.some((one, index) => boxes.slice(index + 1).some((other) =>
          Math.hypot(centre(one)[0] - centre(other)[0], centre(one)[1] - centre(other)[1]) < one.width / 2 + other.width / 2 - 7));
      })()`)) as boolean;
      t.notOk(overlap, 'no replica covers another');
      const swatches = (await page.evaluate(`[...document.querySelectorAll('#replicas .swatch')].map((one) =>
        ['clipPath', 'backgroundColor'].map((name) => getComputedStyle(one)[name]).join())`)) as string[];
      t.equal(new Set(swatches.slice(0, 32)).size, 32, 'and so are the marks in the table');
      for (const key of ['alice', 'bob', 'carol', 'dave', 'erin', 'frank']) {
        await explain(page, key);
        const crossed = await page.evaluate(`(() => {
          const route = document.querySelector('#ring .walk-route');
          const [taker] = document.querySelector('#explain-steps').textContent.match(/seat (\\d+)/g).at(-1).match(/\\d+/);
          const boxes = [...document.querySelectorAll('#ring .node')].filter(({ dataset }) => dataset.seat !== taker)
            .map((node) => node.querySelector('.node-disc').getBBox());
          const length = route.getTotalLength();
          const points = Array.from({ length: 400 }, (_, index) => route.getPointAtLength((length * index) / 399));
          return boxes.filter(({ x, y, width, height }) => points.some((point) =>
            Math.hypot(point.x - x - width / 2, point.y - y - height / 2) < width / 2)).length;
        })()`);
        t.equal(crossed, 0, `the line of ${key} crosses no replica`);
      }
      await shoot(page, 'many-explained');
      await page.getByRole('button', { name: 'Clear' }).click();
      t.equal(await page.locator('#ring .seat-arcs').count(), 64, 'arcs are grouped by seat');
      t.equal(await page.locator('nav a:visible').count(), 1, 'no link leads to a page that is not there');

      await page.locator('#find-name').fill('64');
      const shown = page.locator('#replicas tr');
      await page.waitForFunction("document.querySelectorAll('#replicas tr').length < 64");
      t.ok((await shown.count()) >= 1);
      await page.locator('#find-name').fill(names[10] as string);
      await page.waitForFunction("document.querySelectorAll('#replicas tr').length === 1");
      t.equal(await page.locator('#find-count').textContent(), '1 of 64');
      await shown.first().hover();
      t.equal(await page.locator('#ring .seat-arcs.picked').count(), 1);
      t.equal(await page.locator('#ring .seat-arcs.picked title').textContent(), names[10]);
      await page.locator('#find-name').fill('');
      await page.locator('#find-state').selectOption('absent');
      await page.waitForFunction("document.querySelectorAll('#replicas tr').length === 0");
      services[5]?.closeAllConnections();
      services[5]?.close();
      await page.locator('#replicas .state', { hasText: /^down: connect ECONNREFUSED/ }).waitFor();
      await page.locator('#find-state').selectOption('');
      await page.getByRole('button', { name: 'State', exact: true }).click();
      await page.waitForFunction(`document.querySelector('#replicas tr').dataset.replica === '${names[5]}'`);
      t.equal(await page.locator('thead [aria-sort="ascending"]').textContent(), 'State');
      t.same(await axeViolations(page), []);
      await shoot(page, 'many');
    },
    many,
  );
});
