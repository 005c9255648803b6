// The operations page says of each log entry what it means and at which levels it is written, and of no other.

import { globSync, readFileSync } from 'node:fs';
import t from 'tap';

// Named by what a variable holds, or written with a level that depends on what happened.
const BY_VARIABLE: Record<string, string[]> = {
  'process-before-ended': ['info', 'error'],
  'request-failed': ['info', 'error'],
  'request-refused': ['info', 'error'],
  'admin-refused': ['info', 'error'],
  'scale-unread': ['warn'],
  'scale-not-kept': ['warn'],
};

/** Each entry with the levels at which it is written. */
function inSources(): Map<string, Set<string>> {
  const entries = new Map(Object.entries(BY_VARIABLE).map(([name, levels]) => [name, new Set(levels)]));
  for (const file of globSync('lib/**/*.ts')) {
    const text = readFileSync(file, 'utf8');
    for (const [, level = '', name = ''] of text.matchAll(/\blog\.(error|warn|info|debug)\(\s*'([a-z-]+)'/g))
      entries.set(name, (entries.get(name) ?? new Set()).add(level));
  }
  for (const [, name = ''] of readFileSync('lib/core/fleet/fleet-news.ts', 'utf8').matchAll(/\| '(replica-[a-z]+)'/g))
    entries.set(name, new Set([/-(?:down|lost)$/.test(name) ? 'warn' : 'info']));
  return entries;
}

t.test('each log entry has its row', async (t) => {
  const page = readFileSync('.github/OPERATIONS.md', 'utf8');
  const table = page.slice(page.indexOf('## Log entries'));
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  const entries = inSources();
  const told = rows.flatMap((row) => {
    const [, first = '', second = ''] = row.split('|');
    const names = [...first.matchAll(/`([a-z-]+)`/g)].map(([, name = '']) => name);
    const levels = new Set(second.match(/\b(?:error|warn|info|debug)\b/g));
    const written = new Set(names.flatMap((name) => [...(entries.get(name) ?? [])]));
    t.same([...levels].sort(), [...written].sort(), `the levels of ${names.join(', ')}`);
    return names;
  });
  t.same(told.toSorted(), [...entries.keys()].sort());
  t.equal(new Set(told).size, told.length, 'once');
});

t.test('names by a variable are in the sources', async (t) => {
  const all = globSync('lib/**/*.ts').map((file) => readFileSync(file, 'utf8'));
  for (const name of Object.keys(BY_VARIABLE))
    t.ok(
      all.some((text) => text.includes(`'${name}'`)),
      name,
    );
});
