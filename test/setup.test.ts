// scripts/setup.js with the real npm, in a project of two packages that come from files, so that no registry is asked.

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

t.test('no package runs a script of its own when it is installed, but the one that fetches Node', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-setup-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const { NODE_ENV: _, ...environment } = process.env;
  const run = (cwd: string, ...command: [string, ...string[]]) =>
    execFileSync(command[0], command.slice(1), { cwd: join(directory, cwd), env: environment, stdio: 'pipe' });
  const pack = (name: string, content: object) => {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, 'package.json'), JSON.stringify({ name, version: '1.0.0', ...content }));
    if (name === 'node') writeFileSync(join(directory, 'node/fetch'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    run(name, 'npm', 'pack', '--pack-destination', '..');
    return `file:${name}-1.0.0.tgz`;
  };
  const mark = (name: string) => `echo > ${join(directory, `${name}-ran`)}`;
  const scripts = { preinstall: mark('evil'), install: mark('evil'), postinstall: mark('evil') };
  // A script stands in for the Node that is downloaded.
  const fetch = `${mark('node')} && printf '#!/bin/sh\\necho v26.0.0\\n' > fetch`;
  const dependencies = {
    evil: pack('evil', { scripts }),
    node: pack('node', { bin: { node: 'fetch' }, scripts: { preinstall: fetch } }),
  };
  const project = { name: 'project', version: '1.0.0', type: 'module', private: true, dependencies };
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ ...project, allowScripts: { node: true } }));
  mkdirSync(join(directory, 'scripts'));
  copyFileSync(fileURLToPath(new URL('../scripts/setup.js', import.meta.url)), join(directory, 'scripts/setup.js'));
  run('.', 'npm', 'install', '--package-lock-only', '--ignore-scripts', '--offline');

  run('.', process.execPath, 'scripts/setup.js');
  t.ok(existsSync(join(directory, 'node-ran')));
  t.notOk(existsSync(join(directory, 'evil-ran')));
  t.ok(existsSync(join(directory, 'node_modules/evil')));
});
