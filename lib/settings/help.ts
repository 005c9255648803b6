// The options for people to read: in `--help`, and in README.md, which scripts/tidy.ts compares with this.

import { variableOf } from './environment.ts';
import { GROUPS, OPTIONS, type Option } from './table.ts';

/** The text that `--help` prints. */
export function helpText(): string {
  const starts = new Map([...OPTIONS].map(([flag, { kind }]) => [flag, `  --${flag} ${kind.placeholder}`]));
  const width = Math.max(...[...starts.values()].map((start) => start.length)) + 2;
  const line = (start: string, help: string) => start.padEnd(width) + help;
  const groups = GROUPS.flatMap(({ name, about, rows }) => [
    `${name}: ${about}`,
    ...Object.entries(rows).map(([flag, row]) =>
      line(
        starts.get(flag) as string,
        `${row.help} (${[row.kind.bounds, shownDefault(row)].filter(Boolean).join('; ')})`,
      ),
    ),
    '',
  ]);
  return [
    'Usage: npm start -- [options] [-- command [arguments]]',
    '',
    'A load balancer with consistent hashing over replicas that it starts, watches and replaces.',
    'Each replica runs the command: npm start -- -- node app.js. It listens on the port in PORT, and gets HOST, SERVER_ID',
    'and RINGMASTER_SEAT too; {port}, {socket}, {id} and {seat} in its arguments stand for its own. Without a command,',
    'replicas are the sample service.',
    '',
    ...groups,
    line('  --help', 'this text'),
    line('  --version', 'the version'),
    '',
    `Each option is also an environment variable: ${variableOf('heartbeat-path')} is --heartbeat-path. The command`,
    'line goes first, and an empty variable says nothing. Times are in ms, or with a unit: 500ms, 2s, 1m.',
    '',
    'DELETE /rm removes n replicas, and picks at random what it is not told by name, also in place of a name that is not there.',
    'DELETE /rm?only-named picks none: a name that is not there is refused.',
    '',
  ].join('\n');
}

/** The tables of README.md, in Markdown: one for each group, under its heading. */
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

function shownDefault(row: Option): string {
  return 'settle' in row ? row.shown : row.kind.write(row.otherwise);
}
