// A balancer that was made and not begun has done nothing: no process, no file, no timer that keeps its program alive.
// Nor is anything left of one that was ended, at whatever moment of its start.

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';

const library = (file: string) => new URL(`../../lib/${file}`, import.meta.url).href;

for (const options of [
  ['--replicas', '2'],
  ['--runtime', 'docker'],
  ['--upstream', '127.0.0.1:1'],
]) {
  t.test(`made with ${options.join(' ')} and not begun, it leaves nothing and keeps nothing alive`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'creation-'));
    t.teardown(() => rm(directory, { recursive: true }));
    const code = `
      import { createBalancer } from '${library('balancer.ts')}';
      import { createLog } from '${library('log.ts')}';
      import { parseOptions } from '${library('settings/options.ts')}';
      const options = parseOptions(${JSON.stringify(options)}, {});
      const balancer = await createBalancer(options, createLog('debug', (line) => console.log(line), () => new Date()));
      if (process.argv.includes('close')) await balancer.close();`;
    const environment = { ...process.env, TMPDIR: directory, DOCKER_HOST: 'unix:///nowhere/docker.sock' };
    for (const end of ['', 'close']) {
      const run = promisify(execFile)(process.execPath, ['--input-type=module-typescript', '--eval', code, end], {
        cwd: directory,
        env: environment,
      });
      // It ends by itself, and has logged nothing.
      t.same(await run, { stdout: '', stderr: '' });
      t.same(await readdir(directory), []);
    }
  });
}

t.test('ended at any moment of its start, it leaves nothing and keeps nothing alive', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'creation-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const options = ['--port', '0', '--upstream', '127.0.0.1:1', '--heartbeat-path', 'off', '--admin-socket', 'a.sock'];
  const code = `
    import { existsSync } from 'node:fs';
    import { createBalancer } from '${library('balancer.ts')}';
    import { createLog } from '${library('log.ts')}';
    import { parseOptions } from '${library('settings/options.ts')}';
    const options = parseOptions(${JSON.stringify(options)}, {});
    let isOpen = false;
    for (let turns = 0; !isOpen; turns++) {
      const balancer = await createBalancer(options, createLog('off', () => undefined, () => new Date()));
      const started = balancer.start().then(() => {
        isOpen = true;
      });
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      const wasOpen = isOpen;
      await balancer.close();
      await started;
      isOpen = wasOpen;
      if (existsSync('a.sock')) throw new Error('after ' + turns + ' turns its socket is left');
    }`;
  // It ends by itself.
  await promisify(execFile)(process.execPath, ['--input-type=module-typescript', '--eval', code], {
    cwd: directory,
    timeout: 60_000,
  });
  t.same(await readdir(directory), []);
});
