// `npm run build`: makes dist/, which is what the package runs: JavaScript with types and source maps, the files that
// are served as they are, and the command. `npm pack` does it first (prepack in package.json). A checkout runs without.

import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CONFIG_SCHEMA } from '../config-schema.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DIST = join(ROOT, 'dist');
/** Folders that are served as they are. */
const SERVED = ['lib/admin/dashboard', 'replica/site'];

// What is no longer in the sources must not stay in the package.
rmSync(DIST, { recursive: true, force: true });
const compiler = join(ROOT, 'node_modules/.bin/tsc');
const { status } = spawnSync(compiler, ['-p', join(ROOT, 'scripts/package')], { stdio: 'inherit' });
if (status !== 0) {
  console.error('build: tsc failed, so dist/ is not whole');
  process.exit(1);
}
for (const folder of SERVED) {
  cpSync(join(ROOT, folder), join(DIST, folder), {
    recursive: true,
    filter: (path) => !path.endsWith('tsconfig.json'),
  });
}
// Where a file names it: "$schema": "./node_modules/ringmaster/dist/ringmaster.schema.json".
copyFileSync(join(ROOT, CONFIG_SCHEMA), join(DIST, 'ringmaster.schema.json'));
copyFileSync(join(ROOT, 'scripts/package/command.js'), join(DIST, 'command.js'));
chmodSync(join(DIST, 'command.js'), 0o755);
