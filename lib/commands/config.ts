// `ringmaster config`: prints the options that would hold with these flags, this environment and the file that they
// name, and where each value came from. Secrets are not shown.

import { printable } from '../core/printable.ts';
import { groupKey, rowsOfFile } from '../settings/file/config-file.ts';
import { loadSettings, type Origin, type Settings } from '../settings/file/settings.ts';
import { keyOf } from '../settings/options.ts';
import { GROUPS, type Option } from '../settings/table.ts';
import { type Paint, paintFor } from '../terminal/paint.ts';
import type { Subcommand } from './subcommand.ts';

const JSON_FLAG = '--json';
const HIDDEN = '(not shown)';
// Longer values than this are not lined up.
const WIDEST_VALUE = 32;

export const CONFIG: Subcommand = {
  usage: '[--json] [options] [-- command [arguments]]',
  help: 'prints the options that would hold, and where each value came from',
  run: async (args) => {
    const end = args.includes('--') ? args.indexOf('--') : args.length;
    const flags = args.slice(0, end);
    const argv = [...flags.filter((arg) => arg !== JSON_FLAG), ...args.slice(end)];
    const settings = await loadSettings(argv, process.env);
    const text = flags.includes(JSON_FLAG) ? jsonText(settings) : tableText(settings, paintFor(process.stdout));
    process.stdout.write(text);
    return 0;
  },
};

// Values have the form that they may have in a file.
function jsonText(settings: Settings): string {
  const groups = GROUPS.map(({ name, rows }) => {
    const options = rowsOfFile(rows).map(([flag, row]) => {
      const isHidden = row.kind.secret === true && writtenOf(flag, row, settings) !== '';
      return [flag, { value: isHidden ? null : plainValue(flag, row, settings), ...originOf(flag, settings) }];
    });
    return [groupKey(name), Object.fromEntries(options)];
  });
  const command = { value: settings.options.command, ...originOf('command', settings) };
  return `${JSON.stringify({ command, ...Object.fromEntries(groups) }, null, 2)}\n`;
}

function plainValue(flag: string, row: Option, settings: Settings): unknown {
  const value = settings.options[keyOf(flag, row) as keyof Settings['options']];
  const written = writtenOf(flag, row, settings);
  if (value instanceof Map && row.kind.repeated !== undefined) return Object.fromEntries(value);
  if (typeof value === 'boolean') return value;
  return typeof value === 'number' && written === String(value) ? value : written;
}

function tableText(settings: Settings, paint: Paint): string {
  const { command } = settings.options;
  const groups = GROUPS.map(({ name, rows }) => ({
    name,
    lines: rowsOfFile(rows).map(([flag, row]) => {
      const written = writtenOf(flag, row, settings);
      return [flag, row.kind.secret && written !== '' ? HIDDEN : written, originOf(flag, settings)] as const;
    }),
  }));
  const words: (typeof groups)[number] = {
    name: 'Command',
    lines: [['command', command.join(' '), originOf('command', settings)]],
  };
  const all = [...groups, words];
  const width = (texts: readonly string[], most = Number.POSITIVE_INFINITY) =>
    Math.max(...texts.filter((text) => text.length <= most).map((text) => text.length));
  const lines = all.flatMap((group) => group.lines);
  const names = width(lines.map(([name]) => name));
  const values = width(
    lines.map(([, value]) => printable(value)),
    WIDEST_VALUE,
  );
  return all
    .map(({ name, lines }) => {
      const rows = lines.map(([key, value, origin]) => {
        const isSet = origin.from !== 'default';
        const text = `${key.padEnd(names)}  ${printable(value).padEnd(values)}`;
        return `  ${isSet ? paint('bold', text) : text}  ${paint('dim', isSet ? origin.where : 'default')}\n`;
      });
      return `${paint('bold', name)}\n${rows.join('')}`;
    })
    .join('\n');
}

function writtenOf(flag: string, row: Option, { options }: Settings): string {
  return row.kind.write(options[keyOf(flag, row) as keyof Settings['options']]);
}

function originOf(flag: string, { origins }: Settings): Origin {
  return origins.get(flag) ?? { from: 'default' };
}
