// The card of autoscaling is on the dashboard while that is on, and shows the last look and each step with its inputs.

import type { Browser } from 'playwright-core';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { axeViolations, browserMissing, openBrowser, openPage, watchPage } from '../fixtures/browser.ts';

const skip = browserMissing() ?? false;

t.test(
  'the card shows what is there, what is wanted and why; it is not there when it is off',
  { skip, timeout: 120_000 },
  async (t) => {
    const browser = (await openBrowser(t)) as Browser;
    const program = await startProgram(['--autoscale', '2:3', '--replicas', '2', '--autoscale-target', '7']);
    t.teardown(() => program.stop());
    const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
    const faults = watchPage(page, program.url);
    await openPage(page, `${program.url}/balancer/`);
    await page.getByRole('heading', { name: 'Autoscaling' }).waitFor();
    t.equal(await page.locator('#autoscale-bounds').textContent(), '2 to 3 replicas · target 7 in flight each');
    await page.locator('#autoscale-now', { hasText: '2 there, 2 wanted · as many as the load wants' }).waitFor();
    t.match(
      await page.locator('#autoscale-load').textContent(),
      /^in flight and waiting: \d+\.\d on average, \d+\.\d of late$/,
    );
    await program.call('DELETE', '/rm', { n: 1, hostnames: ['server2'] });
    const step = page.locator('#autoscale-steps li', { hasText: '1 → 2' });
    await step.waitFor();
    t.match(
      await step.textContent(),
      /^\d+ s ago: 1 → 2, more are wanted \(\d\.\d in flight, \d\.\d of late; 50\.0 % of the keys moved\), /,
    );
    t.same(await axeViolations(page), []);
    t.same(faults, { consoleErrors: [], foreignRequests: [] });
    const off = await startProgram(['--replicas', '1']);
    t.teardown(() => off.stop());
    await openPage(page, `${off.url}/balancer/`);
    await page.locator('#connection[data-state="live"]').waitFor();
    t.notOk(await page.getByRole('heading', { name: 'Autoscaling' }).isVisible());
  },
);
