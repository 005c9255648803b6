// The options for people to read: in `--help`, and in .github/pages/REFERENCE.md, which
// scripts/tidy.ts compares with this.

import { variableOf } from './environment.ts';
import { GROUPS, type Option } from './table.ts';

const COLUMNS = 80;
// Where the words about an option begin.
const WORDS_AT = 26;

const EXAMPLES: readonly (readonly [command: string, what: string])[] = [
  ['ringmaster -- node server.js', 'three of your app, each on the port that PORT says'],
  ['ringmaster --key client -- node server.js', 'the same client, the same one of them'],
  ['ringmaster --heartbeat-path / -- gunicorn -b unix:{socket} app:app', 'three on sockets, watched by asking for /'],
  [
    'ringmaster --replicas 4 --heartbeat-path / -- python3 -m http.server {port}',
    'four file servers, with the port as an argument',
  ],
  ['ringmaster --runtime docker --docker-image you/app', 'three containers'],
  ['ringmaster --upstream 10.0.0.1:80,10.0.0.2:80*2', 'services that run already, one with twice the weight'],
  ['ringmaster', 'three of the sample service that comes with ringmaster'],
];

/** What the help shows of a word that may stand before the flags. */
interface Word {
  readonly usage: string;
  readonly help: string;
}

/**
 * The text that `--help` prints, in 80 columns.
 * @param words what may stand before the flags.
 * @param strong marks what stands out.
 */
export function helpText(
  words: ReadonlyMap<string, Word> = new Map(),
  strong: (text: string) => string = (text) => text,
): string {
  return [
    `${strong('Usage:')} ringmaster [options] [-- command [arguments]]`,
    ...[...words].map(([word, { usage }]) => `       ringmaster ${word} ${usage}`.trimEnd()),
    '       npm start -- [options] [-- command [arguments]], in a checkout',
    '',
    ...[...words].flatMap(([word, { help }]) => entry(word, '', help, strong)),
    ...(words.size === 0 ? [] : ['']),
    ...wrapped(
      'Runs a program several times, spreads requests over these replicas by consistent hashing, and replaces those ' +
        'that die or hang.',
      COLUMNS,
    ),
    '',
    strong('Examples:'),
    ...EXAMPLES.flatMap(([command, what]) => [`  ${command}`, `      ${what}`]),
    '',
    ...wrapped(
      'Each replica runs the command, and listens on the port in PORT. It gets HOST, SERVER_ID and RINGMASTER_SEAT ' +
        'too; {port}, {socket}, {id} and {seat} in its arguments stand for its own. It takes requests once it answers ' +
        'GET /heartbeat with 2xx, or what --heartbeat-path says. Without a command, replicas are the sample service.',
      COLUMNS,
    ),
    '',
    ...GROUPS.flatMap(({ name, about, rows }) => [
      `${strong(`${name}:`)} ${about}`,
      ...Object.entries(rows).flatMap(([flag, row]) =>
        entry(`--${flag}`, row.kind.placeholder, `${row.help} (${limits(row)})`, strong),
      ),
      '',
    ]),
    ...entry('-h, --help', '', 'this text', strong),
    ...entry('-v, --version', '', 'the version', strong),
    '',
    ...wrapped(
      `Each option is also an environment variable: ${variableOf('heartbeat-path')} is --heartbeat-path. The command ` +
        'line goes first, and an empty variable says nothing. Times are in ms, or with a unit: 500ms, 2s, 1m.',
      COLUMNS,
    ),
    '',
    ...wrapped(
      'DELETE /rm removes n replicas, and picks at random what it is not told by name, also in place of a name that ' +
        'is not there. DELETE /rm?only-named picks none: a name that is not there is refused.',
      COLUMNS,
    ),
    '',
  ].join('\n');
}

// The words about an option begin beside it, or below it if it is long.
function entry(flag: string, placeholder: string, words: string, strong: (text: string) => string): string[] {
  const start = `  ${flag} ${placeholder}`.trimEnd();
  const marked = start.replace(flag, strong);
  const lines = wrapped(words, COLUMNS - WORDS_AT);
  const indented = lines.map((line) => ' '.repeat(WORDS_AT) + line);
  if (start.length > WORDS_AT - 2) return [marked, ...indented];
  return [marked + ' '.repeat(WORDS_AT - start.length) + (lines[0] ?? ''), ...indented.slice(1)];
}

function limits(row: Option): string {
  const otherwise = shownDefault(row);
  return otherwise === '' ? row.kind.bounds : `${row.kind.bounds}; default ${otherwise}`;
}

/** The text in lines of at most so many columns. */
export function wrapped(text: string, columns: number): string[] {
  return filled(text.split(' '), columns);
}

/** The same of pieces with a space between them, none of which is broken. */
export function filled(pieces: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + piece.length <= columns) lines[lines.length - 1] = `${last} ${piece}`;
    else lines.push(piece);
  }
  return lines;
}

/** The tables of the reference, in Markdown: one for each group, under its heading. */
export function optionsTable(): string {
  return GROUPS.map(({ name, about, rows }) =>
    [
      `### ${name}`,
      '',
      `${about.charAt(0).toUpperCase()}${about.slice(1)}.`,
      '',
      '| flag | environment | default | values | |',
      '| --- | --- | --- | --- | --- |',
      ...Object.entries(rows).map(([flag, row]) => tableRow(flag, row)),
    ].join('\n'),
  ).join('\n\n');
}

function tableRow(flag: string, row: Option): string {
  const shown = shownDefault(row);
  const cells = [
    `\`--${flag}\``,
    `\`${variableOf(flag)}\``,
    shown === '' ? '' : `\`${shown}\``,
    row.kind.bounds,
    row.help,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** The default of an option as it is written; empty if it stands for nothing. */
export function shownDefault(row: Option): string {
  return 'settle' in row ? row.shown : row.kind.write(row.otherwise);
}
