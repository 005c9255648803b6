// The dashboard in front of services that somebody else runs: what it offers and what it does not.

import type { Browser } from 'playwright-core';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { browserMissing, openBrowser, openPage } from '../fixtures/browser.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const skip = browserMissing() ?? false;
t.setTimeout(120_000);

t.test('no button adds or kills one, and one may be removed', { skip }, async (t) => {
  const service = () => scriptedReplica((socket) => socket.write(reply('{}')));
  const [one, two] = [await service(), await service()];
  const program = await startProgram(['--upstream', `${one.upstream},${two.upstream}`]);
  t.teardown(() => Promise.all([program.stop(), one.close(), two.close()]));
  const browser = (await openBrowser(t)) as Browser;
  const page = await browser.newPage();
  await openPage(page, `${program.url}/balancer/`);
  const rows = page.locator('#replicas tr');
  await rows.nth(1).waitFor();
  t.match(await page.locator('#fixed').textContent(), /^Nothing is started here: these services run by themselves/);
  t.ok(await page.locator('#add').isHidden());
  t.equal(await page.getByRole('button', { name: /^Kill/ }).count(), 0);
  await page.getByRole('button', { name: `Remove ${two.upstream}` }).click();
  await page.getByRole('button', { name: 'Remove it', exact: true }).click();
  await page.locator(`#replicas tr[data-replica="${two.upstream}"]`).waitFor({ state: 'detached' });
  t.same(await program.hostnames(), [one.upstream]);
});
