// The table of metrics in the reference (.github/pages): `node scripts/metrics.ts` prints it; scripts/tidy.ts checks
// that the document has the same.

import { fullName } from '../lib/admin/metrics/exposition.ts';
import { FAMILIES } from '../lib/admin/metrics/families.ts';

/** A table in Markdown with a row for each metric. */
export function metricsTable(): string {
  const rows = FAMILIES.map((family) => {
    const by = family.by.map((label) => `\`${label}\``).join(' ');
    return `| \`${fullName(family)}\` | ${family.type} | ${by} | ${family.help} |`;
  });
  return ['| name | type | labels | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

if (import.meta.main) console.log(metricsTable());
