// Makes lib/settings/ringmaster.schema.json, by which editors complete a configuration file and say what is wrong with
// it, of the tables that the command line has too. `npm exec -- node scripts/config-schema.ts` writes the file; tidy
// compares.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { groupKey, rowsOfFile } from '../lib/settings/file/config-file.ts';
import { boundsOf } from '../lib/settings/given.ts';
import { shownDefault } from '../lib/settings/help.ts';
import { GROUPS, type Option } from '../lib/settings/table.ts';

export const CONFIG_SCHEMA = 'lib/settings/ringmaster.schema.json';

/** The text of that file. */
export function configSchema(): string {
  const groups = GROUPS.map(({ name, about, rows }) => {
    const properties = Object.fromEntries(rowsOfFile(rows).map(([flag, row]) => [flag, propertyOf(row)]));
    return [groupKey(name), { description: sentence(about), type: 'object', additionalProperties: false, properties }];
  });
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration of ringmaster',
    description: 'Options by the names of their flags, in groups. The command line and the environment go first.',
    type: 'object',
    // What editors that know JSON with comments ask for.
    allowTrailingCommas: true,
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      command: {
        description:
          'The program that each replica runs, and its arguments: what follows a lone -- on the command line. Changes at a start only.',
        type: 'array',
        minItems: 1,
        items: { type: 'string' },
      },
      ...Object.fromEntries(groups),
    },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function propertyOf(row: Option): object {
  const otherwise = shownDefault(row);
  const sentences = [
    sentence(row.help),
    `Takes ${boundsOf(row.kind)}.`,
    ...(otherwise === '' ? [] : [`Default: ${otherwise}.`]),
    row.changes === 'live' ? 'A reload takes it over.' : `Changes at a start only: ${row.changes.atStart}.`,
  ];
  return { description: sentences.join(' '), ...row.kind.schema };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

if (import.meta.main) writeFileSync(fileURLToPath(new URL(`../${CONFIG_SCHEMA}`, import.meta.url)), configSchema());
