// When the dashboard asks for the admin token and when it only looks, in a real browser in front of the real program.
// `SHOTS=folder` keeps pictures of it.

import type { Browser, Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { startProgram } from '../../bench/harness/program.ts';
import { axeViolations, browserMissing, openBrowser, openPage } from '../fixtures/browser.ts';

const skip = browserMissing() ?? false;
const browser = (skip === false ? await openBrowser(t) : undefined) as Browser;
// A browser is slow on a busy machine.
t.setTimeout(240_000);

const open = async (t: Test, url: string, headers: Record<string, string> = {}): Promise<Page> => {
  const page = await browser.newPage({ extraHTTPHeaders: headers });
  t.teardown(() => page.close());
  await openPage(page, `${url}/balancer/`);
  await page.locator('#connection[data-state="live"]').waitFor();
  await page.locator('#replicas tr').first().waitFor();
  return page;
};
const confirm = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const shoot = async (page: Page, name: string) => {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png`, fullPage: true });
};

/** Checks that the page shows nothing that changes anything, and no place for a token. */
const onlyLooks = async (t: Test, page: Page) => {
  const changing = /^(Add|Remove|Kill|Drain|Undrain|Off|[\d,]+\/s)/;
  t.equal(await page.getByRole('button', { name: changing }).count(), 0);
  t.ok(await page.locator('#load').isHidden(), 'who only looks makes no load');
  t.same(await page.getByRole('textbox').evaluateAll((all) => all.map(({ id }) => id)), ['explain-key']);
  t.ok(await page.locator('#token').isHidden());
};

t.test(
  'on the admin port the token is asked for, kept while it is right, and forgotten when it is not',
  { skip },
  async (t) => {
    const adminPort = await freePort();
    const start = (token: string) =>
      startProgram(['--replicas', '1', '--admin-token', token, '--admin-port', String(adminPort)]);
    const other = await start('right');
    const page = await open(t, `http://127.0.0.1:${adminPort}`);
    t.ok(await page.locator('#page-vote').isHidden(), 'the pages of the service are on the other port');
    const add = () => page.getByRole('button', { name: 'Add replica' }).click();
    const field = page.getByLabel(/admin token/);
    const give = async (token: string) => {
      await field.fill(token);
      await page.getByRole('button', { name: 'Use it' }).click();
    };
    const problem = (text: string | RegExp) =>
      page.locator('#token-problem', { hasText: text }).waitFor({ state: 'attached' });

    await add();
    await problem(/^$/);
    await give('wrong');
    await problem('That was not the token.');
    t.equal(await field.getAttribute('aria-invalid'), 'true');
    t.same(await axeViolations(page), []);
    await shoot(page, 'token');
    await give('schlüssel');
    await problem('A token is letters, digits and signs of ASCII');
    await give('right');
    await confirm(page, 'Add it');
    await page.locator('#fact-serving', { hasText: '2 / 2' }).waitFor();
    t.ok(await page.locator('#token-form').isHidden());

    await other.stop();
    await page.locator('#connection[data-state="lost"]').waitFor();
    await add();
    await page.locator('#change.failed', { hasText: 'The balancer did not answer.' }).waitFor();
    const again = await start('another');
    t.teardown(() => again.stop());
    await add();
    await problem('That was not the token.');
    await page.locator('#token-cancel').click();
    await page.locator('#change.failed', { hasText: /changing the fleet takes/ }).waitFor();
    await add();
    await page.locator('#token:focus').waitFor();
    await problem(/^$/);
  },
);

t.test('on the public port, where changes take the token, the page only looks and says why', { skip }, async (t) => {
  const program = await startProgram(['--replicas', '2', '--admin-token', 'right']);
  t.teardown(() => program.stop());
  const page = await open(t, program.url);
  await onlyLooks(t, page);
  t.match(
    await page.locator('#fixed').textContent(),
    /made on the admin port \(--admin-port\): here a script of the service/,
  );
  t.same(await axeViolations(page), []);
  await shoot(page, 'only-looks');
  const headers = { authorization: 'Bearer right' };
  const added = await program.json('/add', { method: 'POST', headers, body: '{"n":1}' });
  t.equal(added.status, 200, 'a program with the token may');
  await page.locator('#fact-serving', { hasText: '3 / 3' }).waitFor();
});

t.test('where changes are open the page changes, but not through a proxy', { skip }, async (t) => {
  const program = await startProgram(['--replicas', '1']);
  t.teardown(() => program.stop());
  const page = await open(t, program.url);
  t.ok(await page.getByRole('button', { name: 'Add replica' }).isVisible());
  // Looks as if a proxy were in between, where the page must not ask for a token.
  await page.setExtraHTTPHeaders({ Via: '1.1 front' });
  await page.getByRole('button', { name: 'Add replica' }).click();
  await page.locator('#change.failed', { hasText: 'it came through a proxy (Via)' }).waitFor();
  t.ok(await page.locator('#token').isHidden());
  const proxied = await open(t, program.url, { 'X-Forwarded-For': '203.0.113.9' });
  await onlyLooks(t, proxied);
  t.match(await proxied.locator('#fixed').textContent(), /This page came through a proxy \(X-Forwarded-For\)/);
});
