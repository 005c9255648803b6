// What the dashboard predicts of a change for the keys of the last hour, and what it measures after it, in a real
// browser. `SHOTS=folder` keeps pictures.

import type { Browser, BrowserContextOptions } from 'playwright-core';
import t, { type Test } from 'tap';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { axeViolations, browserMissing, openBrowser, openPage, watchPage } from '../fixtures/browser.ts';

const skip = browserMissing() ?? false;
const browser = (skip === false ? await openBrowser(t) : undefined) as Browser;
// A browser is slow on a busy machine.
t.setTimeout(480_000);

async function open(t: Test, program: Program, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  page.setDefaultTimeout(180_000);
  const { consoleErrors, foreignRequests } = watchPage(page, program.url);
  await openPage(page, `${program.url}/balancer/`);
  await page.locator('#connection[data-state="live"]').waitFor();
  return { page, faults: () => [...consoleErrors, ...foreignRequests] };
}

const visit = async (program: Program) => {
  for (let room = 0; room < 40; room++) await fetch(`${program.url}/home`, { headers: { 'x-room': `room-${room}` } });
};

async function predicted(program: Program, body: string): Promise<string> {
  const ask = () => program.json('/balancer/what-if', { method: 'POST', body });
  // The page may be asking meanwhile.
  let answer = await ask();
  while (answer.status === 503) answer = await ask();
  const { moved } = answer.body as { readonly moved: { readonly keys: { readonly value: number } } };
  return `${(100 * moved.keys.value).toFixed(1)} %`;
}

t.test('before a change it says what moves, and after it what has moved beside it', { skip }, async (t) => {
  const program = await startProgram(['--key', 'header:x-room', '--slow-start', '0']);
  t.teardown(() => program.stop());
  await visit(program);
  const { page, faults } = await open(t, program);
  const part = await predicted(program, '{"then": 4}');
  await page.locator('#add button').click();
  const words = page.locator('#change-predicted');
  await words
    .filter({ hasText: `${part} of the keys would get another replica, with ${part} of the requests` })
    .waitFor();
  t.match(
    await words.textContent(),
    /^By the traffic of the last \d+ (s|min): .*; max \/ mean \d\.\d\d, now \d\.\d\d\.$/,
  );
  await page.locator('#change-confirm').click();
  const outcome = page.locator('#outcome-text');
  await outcome.filter({ hasText: `Predicted: ${part} of the keys at another replica` }).waitFor();
  for (;;) {
    await visit(program);
    const text = (await outcome.textContent()) ?? '';
    if (text.includes('of 40 keys that came again')) break;
  }
  t.match(await outcome.textContent(), new RegExp(`of 40 keys that came again: ${part.replace('.', '\\.')}`));
  await page.locator('#outcome-close').click();
  t.ok(await page.locator('#outcome').isHidden());

  // Removed again, the same keys go back.
  const last = (await program.hostnames()).at(-1) as string;
  await page.getByRole('button', { name: `Remove ${last}` }).click();
  await words.filter({ hasText: `of the keys would get another replica` }).waitFor();
  await page.locator('#change-cancel').click();
  await page.getByRole('button', { name: 'Kill server1' }).click();
  await words
    .filter({ hasText: 'of the requests are for its keys, whose next replica begins with nothing cached' })
    .waitFor();
  await page.locator('#change-confirm').click();
  await page.locator('#change').waitFor({ state: 'hidden' });
  t.ok(await page.locator('#outcome').isHidden(), 'its keys keep their seat, so nothing is said of moves');
  t.same(faults(), []);
});

t.test('without a key nothing is predicted, since the ring says it all', { skip }, async (t) => {
  const program = await startProgram([]);
  t.teardown(() => program.stop());
  const { page, faults } = await open(t, program);
  const answered = page.waitForResponse('**/balancer/what-if');
  await page.locator('#add button').click();
  t.match(await (await answered).json(), { source: null, moved: { keys: null } });
  await page.locator('#change-confirm', { hasText: 'Add it' }).waitFor();
  t.equal(await page.locator('#change-predicted').textContent(), '');
  t.same(faults(), []);
});

const shown =
  skip === false
    ? await startProgram(['--key', 'header:x-room', '--slow-start', '0'])
    : (undefined as unknown as Program);
t.teardown(() => shown?.stop());

t.test('while another question is played it asks again', { skip }, async (t) => {
  await visit(shown);
  const { page } = await open(t, shown);
  let busy = 3;
  await page.route('**/balancer/what-if', (route) => {
    busy -= 1;
    const json = { message: '<Error> another what-if is being played', status: 'failure' };
    return busy >= 0 ? route.fulfill({ status: 503, json }) : route.continue();
  });
  await page.locator('#add button').click();
  await page.locator('#change-predicted', { hasText: 'By the traffic' }).waitFor();
  t.equal(busy, -1);
});

for (const [name, options] of Object.entries<BrowserContextOptions>({
  'light and wide': { colorScheme: 'light' },
  'dark and narrow': { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
  'forced colours': { forcedColors: 'active' },
})) {
  t.test(`${name}: axe finds nothing, and nothing has to be scrolled sideways`, { skip }, async (t) => {
    await visit(shown);
    const { page, faults } = await open(t, shown, options);
    await page.locator('#add button').click();
    await page.locator('#change-predicted', { hasText: 'By the traffic' }).waitFor();
    t.same(await axeViolations(page), []);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/before ${name}.png` });
    await page.locator('#change-confirm').click();
    await page.locator('#outcome-text', { hasText: 'Predicted' }).waitFor();
    t.same(await axeViolations(page), []);
    const width = (await page.evaluate('document.documentElement.scrollWidth')) as number;
    t.ok(width <= (options.viewport?.width ?? 1280), `the page is ${width} wide`);
    if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/after ${name}.png` });
    t.same(faults(), []);
  });
}
