// The operations page says of each log entry what it means, and of no other.

import { globSync, readFileSync } from 'node:fs';
import t from 'tap';

// Named by what a variable holds, or written with a level that depends on what happened.
const BY_VARIABLE = [
  ...['process-before-ended', 'request-failed', 'request-refused', 'admin-refused', 'scale-unread', 'scale-not-kept'],
];

function inSources(): string[] {
  const names = globSync('lib/**/*.ts').flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return [...text.matchAll(/\blog\.(?:error|warn|info|debug)\(\s*'([a-z-]+)'/g)].map(([, name]) => name ?? '');
  });
  const news = [...readFileSync('lib/core/fleet/fleet-news.ts', 'utf8').matchAll(/\| '(replica-[a-z]+)'/g)];
  return [...new Set([...names, ...news.map(([, name]) => name ?? ''), ...BY_VARIABLE])].sort();
}

t.test('each log entry has its row', async (t) => {
  const page = readFileSync('.github/OPERATIONS.md', 'utf8');
  const table = page.slice(page.indexOf('## Log entries'));
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  const told = rows.flatMap((row) => [...(row.split('|')[1] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, name]) => name));
  t.same(told.toSorted(), inSources());
  t.equal(new Set(told).size, told.length, 'once');
});

t.test('names by a variable are in the sources', async (t) => {
  const all = globSync('lib/**/*.ts').map((file) => readFileSync(file, 'utf8'));
  for (const name of BY_VARIABLE)
    t.ok(
      all.some((text) => text.includes(`'${name}'`)),
      name,
    );
});
