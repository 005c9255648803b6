// Makes lib/library/options.ts, the options of the library with a doc comment for each, of the tables that the command
// line has too. `npm exec -- node scripts/option-types.ts` writes the file; tidy compares.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { boundsOf, inKeys, LIBRARY_DEFAULTS } from '../lib/settings/given.ts';
import { shownDefault, wrapped } from '../lib/settings/help.ts';
import { keyOf } from '../lib/settings/options.ts';
import { GROUPS, type Option } from '../lib/settings/table.ts';

export const OPTION_TYPES = 'lib/library/options.ts';

const COLUMNS = 120;

// What is other in the library than on the command line.
const OTHER_DEFAULTS: Readonly<Record<string, string>> = LIBRARY_DEFAULTS;
const OTHER_FORMS: Readonly<Record<string, string>> = {
  log: 'Or a function that gets the entries.',
  hash: 'Or an object with the two functions.',
  key: 'Or a function of the request.',
};

const UNITS: Readonly<Record<string, string>> = {
  Ms: 'in milliseconds',
  Bytes: 'in bytes',
  BytesPerSecond: 'in bytes per second',
};

const START = `// The options of \`createBalancer\`. Made by scripts/option-types.ts of the tables in lib/settings/tables/: change those.

import type { Given } from './forms.ts';

/**
 * All may be left out. A number may also be a text as on the command line: \`2s\`, \`64k\`, \`off\`. Whatever is out of
 * bounds is an \`OptionError\`.
 */
export interface BalancerOptions {
  /** The program that each replica runs, and its arguments. Default: the sample service. */
  readonly command?: Given<'command'> | undefined;
`;

/** The text of that file. */
export function optionTypes(): string {
  const groups = GROUPS.map(({ name, about, rows }) => {
    const ofPrograms = Object.entries(rows).filter(([, row]) => !row.ofCommand);
    const members = ofPrograms.map(([flag, row]) => memberOf(keyOf(flag, row), row));
    return `\n  // ${name}: ${about}.\n\n${members.join('\n')}`;
  });
  return `${START}${groups.join('')}}\n`;
}

function memberOf(key: string, row: Option): string {
  const otherwise = OTHER_DEFAULTS[key] ?? defaultOf(row);
  const unit = UNITS[row.kind.unit];
  const sentences = [
    `${row.help.charAt(0).toUpperCase()}${row.help.slice(1)}.`,
    `Takes ${boundsOf(row.kind)}${unit === undefined ? '' : `, ${unit}`}.`,
    ...(OTHER_FORMS[key] === undefined ? [] : [OTHER_FORMS[key]]),
    ...(otherwise === '' ? [] : [`Default: ${otherwise}.`]),
  ];
  const lines = wrapped(inKeys(sentences.join(' ')), COLUMNS - '   * '.length);
  const [first = ''] = lines;
  const comment =
    lines.length === 1 && first.length <= COLUMNS - '  /**  */'.length
      ? `  /** ${first} */\n`
      : `  /**\n${lines.map((line) => `   * ${line}\n`).join('')}   */\n`;
  return `${comment}  readonly ${key}?: Given<'${key}'> | undefined;\n`;
}

// A program gives a number where the command line has a unit.
function defaultOf(row: Option): string {
  const value = 'settle' in row || row.kind.unit === '' ? undefined : row.otherwise;
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : shownDefault(row);
}

if (import.meta.main) writeFileSync(fileURLToPath(new URL(`../${OPTION_TYPES}`, import.meta.url)), optionTypes());
