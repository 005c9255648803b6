// `node scripts/pictures.ts`: makes pictures of every page in every look, for people to see through before a change of
// the pages goes out, and with `--readme` those that the README shows. Nothing is compared: what is wrong in a picture,
// a person sees.

import { mkdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { runCommand } from '../bench/command.ts';
import { endOnSignals } from '../bench/harness/children.ts';
import { type Program, startProgram } from '../bench/harness/program.ts';
import { launchBrowser } from '../test/fixtures/browser.ts';

const HELP = `Usage: node scripts/pictures.ts [--out FOLDER] [--only PATTERN]
       node scripts/pictures.ts --readme

Pictures of the dashboard with 3, 12 and 64 replicas, of the page for a room, of the voting page and of the sample
page: 390, 1280 and 1920 wide, light and dark, each in one sheet as it is, with forced colours, and as people with
each deficiency of colour vision see it. Takes some minutes.

  --out FOLDER    where they go (default: pictures)
  --only PATTERN  those alone whose names fit the regular expression, such as '^64-.*dark'
  --readme        takes the three pictures in .github/images anew: the state of the program is that of
                  npm start on port 5000, and the machine should be quiet, since they show how fast it is
`;

const IMAGES = fileURLToPath(new URL('../.github/images/', import.meta.url));
const SIZES = { 390: 844, 1280: 720, 1920: 1080 };
const SCHEMES = ['light', 'dark'] as const;
const DEFICIENCIES = ['protanopia', 'deuteranopia', 'tritanopia', 'achromatopsia'] as const;
const PER_SECOND = 40;
/** Rates and percentiles come once a second, and a line needs some of them. */
const SETTLE_MS = 4000;
const README_LOAD_MS = 60_000;

interface Wish {
  readonly out: string;
  readonly only: RegExp;
  readonly readme: boolean;
}

/** One page in one look. */
interface Look {
  readonly name: string;
  readonly url: string;
  readonly options: BrowserContextOptions;
  readonly arrange: (page: Page) => Promise<void>;
}

endOnSignals();
await runCommand('pictures', readWords, takePictures);

function readWords(words: readonly string[]): string | Wish {
  const { help, out, only, readme } = parseArgs({
    args: [...words],
    options: {
      help: { type: 'boolean' },
      out: { type: 'string', default: 'pictures' },
      only: { type: 'string', default: '' },
      readme: { type: 'boolean', default: false },
    },
  }).values;
  return help ? HELP : { out, only: new RegExp(only), readme };
}

async function takePictures({ out, only, readme }: Wish): Promise<void> {
  const browser = await launchBrowser();
  if (browser === undefined) throw new Error('there is no chromium here: install one, or name it in CHROMIUM');
  try {
    if (readme) {
      await takeReadme(browser);
      return;
    }
    await mkdir(out, { recursive: true });
    for (const count of [3, 12, 64]) {
      const fleet = await startFleet(count);
      try {
        const looks = [...dashboardLooks(fleet.program, count), ...(count === 3 ? siteLooks(fleet.program) : [])];
        for (const look of looks.filter(({ name }) => only.test(name))) await takeSheet(browser, look, out);
      } finally {
        await fleet.stop();
      }
    }
  } finally {
    await browser.close();
  }
}

/**
 * Replicas under a little load, in the states that differ most: few all serve, of many one rests, and of very many,
 * which run by themselves, one is down as well.
 */
async function startFleet(count: number): Promise<{ program: Program; stop: () => Promise<void> }> {
  const services = count <= 12 ? [] : await Promise.all(Array.from({ length: count }, startService));
  const names = services.map((one) => `127.0.0.1:${(one.address() as AddressInfo).port}`);
  const where = names.length === 0 ? ['--replicas', String(count)] : ['--upstream', names.join(',')];
  const program = await startProgram([...where, '--max-replicas', '64', '--key', 'header:X-Key,request']);
  const stop = async () => {
    await program.stop();
    for (const one of services) endService(one);
  };
  try {
    if (count > 3) {
      const [, , , , rests = ''] = await program.hostnames();
      await program.call('POST', '/balancer/drain', { hostname: rests });
    }
    if (services[20] !== undefined) endService(services[20]);
    await program.call('POST', '/balancer/load', { perSecond: PER_SECOND, keys: 'zipf', forMs: 600_000 });
  } catch (error) {
    await stop();
    throw error;
  }
  return { program, stop };
}

async function startService(): Promise<Server> {
  const service = createServer((_, response) => response.end('ok'));
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  return service;
}

function endService(service: Server): void {
  service.close();
  service.closeAllConnections();
}

function dashboardLooks({ url }: Program, count: number): Look[] {
  return eachLook(String(count), `${url}/balancer/`, explainKey).concat(
    eachLook(`${count}-present`, `${url}/balancer/#present`, explainKey),
  );
}

function siteLooks({ url }: Program): Look[] {
  return eachLook('vote', url, voteForAll).concat(eachLook('sample', `${url}/sample`, sendSome));
}

function eachLook(subject: string, url: string, arrange: Look['arrange']): Look[] {
  return Object.entries(SIZES).flatMap(([width, height]) =>
    SCHEMES.map((colorScheme) => ({
      name: `${subject}-${width}-${colorScheme}`,
      url,
      options: { viewport: { width: Number(width), height }, colorScheme },
      arrange,
    })),
  );
}

async function explainKey(page: Page): Promise<void> {
  await page.locator('#connection[data-state="live"]').waitFor();
  await page.locator('#replicas tr').first().waitFor({ state: 'attached' });
  await page.waitForTimeout(SETTLE_MS);
  await page.locator('#explain-key').fill('alice');
  const isSaid = () => page.locator('#explain-steps').isVisible();
  // What is said goes when the fleet changes, which a replica that is down does again and again.
  for (let tries = 0; tries < 20 && !(await isSaid()); tries++) {
    await page.locator('#explain [type="submit"]').click();
    await page.waitForTimeout(100);
  }
}

async function voteForAll(page: Page): Promise<void> {
  for (const [index, option] of ['kubernetes', 'helm', 'prometheus', 'docker'].entries()) {
    for (let count = 0; count < 4 - index; count++) await page.click(`button[value=${option}]`);
  }
  await page.locator('#status[data-mood="good"]').waitFor();
}

async function sendSome(page: Page): Promise<void> {
  await page.click('text="Send 100"');
  await page.locator('#status', { hasText: /^Done/ }).waitFor();
}

/** A page as it is, with forced colours, and with each deficiency, side by side in one picture. */
async function takeSheet(browser: Browser, look: Look, out: string): Promise<void> {
  const pictures: [title: string, file: string][] = [];
  const take = async (page: Page, title: string) => {
    const file = join(out, `${look.name}${title === '' ? '' : `-${title}`}.png`);
    await page.screenshot({ path: file, fullPage: true, animations: 'disabled' });
    pictures.push([title === '' ? look.name : title, file]);
  };
  await onPage(browser, look, {}, async (page) => {
    await take(page, '');
    const session = await page.context().newCDPSession(page);
    for (const type of DEFICIENCIES) {
      await session.send('Emulation.setEmulatedVisionDeficiency', { type });
      await take(page, type);
    }
  });
  await onPage(browser, look, { forcedColors: 'active' }, (page) => take(page, 'forced'));
  await joinPictures(browser, pictures, join(out, `sheet-${look.name}.png`));
  process.stdout.write(`${look.name}\n`);
}

async function onPage(
  browser: Browser,
  { url, options, arrange }: Look,
  more: BrowserContextOptions,
  use: (page: Page) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({ ...options, ...more });
  try {
    const page = await context.newPage();
    // On a busy machine a page takes its time.
    page.setDefaultTimeout(120_000);
    page.on('pageerror', (error) => process.stderr.write(`${url}: ${error}\n`));
    await page.goto(url);
    await arrange(page);
    await page.mouse.move(0, 0);
    await use(page);
  } finally {
    await context.close();
  }
}

async function joinPictures(browser: Browser, pictures: readonly (readonly [string, string])[], file: string) {
  const cells = await Promise.all(
    pictures.map(async ([title, path]) => {
      const data = (await readFile(path)).toString('base64');
      return `<figure><figcaption>${title}</figcaption><img src="data:image/png;base64,${data}"></figure>`;
    }),
  );
  const style = 'body{display:grid;grid-template-columns:repeat(3,640px);gap:8px;margin:8px;font:16px sans-serif}';
  const context = await browser.newContext({ viewport: { width: 1952, height: 400 } });
  const page = await context.newPage();
  await page.setContent(`<style>${style}figure{margin:0}img{width:640px}</style>${cells.join('')}`);
  await page.screenshot({ path: file, fullPage: true });
  await context.close();
}

/** Three replicas under a little load, as somebody meets them who has just begun. */
async function takeReadme(browser: Browser): Promise<void> {
  const program = await startProgram(['--port', '5000']);
  try {
    const options = { viewport: { width: 1280, height: 720 }, colorScheme: 'light' } as const;
    const take = (name: string, url: string, arrange: Look['arrange']) =>
      onPage(browser, { name, url, options, arrange }, {}, async (page) => {
        await page.locator('h1').click();
        await page.screenshot({ path: join(IMAGES, `${name}.png`), fullPage: true });
        process.stdout.write(`${name}\n`);
      });
    await take('voting-site', program.url, voteForAll);
    await take('sample-site', `${program.url}/sample`, sendSome);
    await take('dashboard', `${program.url}/balancer/`, async (page) => {
      await page.getByRole('button', { name: '100/s' }).click();
      await page.waitForTimeout(README_LOAD_MS);
      await explainKey(page);
    });
  } finally {
    await program.stop();
  }
}
