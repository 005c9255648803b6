// What is said to somebody who has made a usual mistake, so that the next step is clear.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { whoMayHave } from '../lib/system/listening.ts';
import { tooOld } from '../lib/system/node-version.ts';

t.test('of a hash with a syntax error the line is shown', async (t) => {
  const folder = t.testdir({
    'package.json': '{"type":"module"}',
    'mine.ts': 'const a = 1;\n\nexport const requestSlot = (key: number => key;\n',
    'mine.js': 'const a = 1;\n\nexport const requestSlot = (key => key;\n',
    'typed.js': 'export const requestSlot = (key: number) => key;\n',
  });
  const main = fileURLToPath(new URL('../lib/main.ts', import.meta.url));
  // In a process of its own, since the test runner has stacks in a form of its own.
  const refused = (file: string, stderr: RegExp) =>
    t.rejects(promisify(execFile)(process.execPath, [main, '--hash', join(folder, file)]), { code: 2, stderr }, file);
  await refused(
    'mine.ts',
    /mine\.ts cannot be loaded: .*\(mine\.ts, line 3: export const requestSlot = \(key: number => key;\)\n$/,
  );
  await refused(
    'mine.js',
    /mine\.js cannot be loaded: .*\(mine\.js, line 3: export const requestSlot = \(key => key;\)\n$/,
  );
  await refused('typed.js', /typed\.js cannot be loaded: .*; as TypeScript it would be right: name it \.ts\n$/);
});

t.test('on macOS it is said who may have port 5000', async (t) => {
  t.match(whoMayHave(5000, 'darwin'), /AirPlay Receiver/);
  t.equal(whoMayHave(5001, 'darwin'), '');
  t.equal(whoMayHave(5000, 'linux'), '');
});

t.test('a Node that is too old is told from one that is not', async (t) => {
  t.match(tooOld('22.18.0', '>=24.11.0'), /^Node 24\.11\.0 or newer is needed, and this is 22\.18\.0: npm start/);
  t.match(tooOld('24.10.9', '>=24.11.0'), /24\.10\.9/);
  t.equal(tooOld('24.11.0', '>=24.11.0'), undefined);
  t.equal(tooOld('26.0.0', '>=24.11.0'), undefined);
});
