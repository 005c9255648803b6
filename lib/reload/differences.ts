// Compares options: which differ, how they are written, and why some cannot change while the balancer runs. Pure.

import { isDeepStrictEqual } from 'node:util';
import { fullKey } from '../settings/file/config-file.ts';
import { soughtUpstreams } from '../settings/lists/upstream.ts';
import { atStart, type Changes } from '../settings/option.ts';
import { keyOf, type Options } from '../settings/options.ts';
import { OPTIONS, type Option } from '../settings/table.ts';

/** An option that differs. */
export interface Difference {
  readonly flag: string;
  /** As it is in a file: `ring.hash`. */
  readonly option: string;
  /** The values as they are written. A secret is left out. */
  readonly from: string;
  readonly to: string;
  readonly changes: Changes;
}

const COMMAND_CHANGES = atStart('replicas that run keep what they were started with');
const SOURCE_CHANGES = atStart(
  'whether replicas are started here, or run elsewhere, is settled by those that there are',
);
const SOUGHT_CHANGES = atStart('names are looked up from the start on');
const HIDDEN = '(not shown)';

export function differences(before: Options, next: Options): Difference[] {
  const found: Difference[] = [];
  if (!isDeepStrictEqual(before.command, next.command)) {
    const [from, to] = [before.command.join(' '), next.command.join(' ')];
    found.push({ flag: 'command', option: 'command', from, to, changes: COMMAND_CHANGES });
  }
  for (const [flag, row] of OPTIONS) {
    const key = keyOf(flag, row) as keyof Options;
    if (isDeepStrictEqual(before[key], next[key])) continue;
    const changes = (flag === 'upstream' ? whyOtherSource(before, next) : undefined) ?? row.changes;
    found.push({ flag, option: fullKey(flag), from: written(row, before[key]), to: written(row, next[key]), changes });
  }
  return found;
}

function whyOtherSource(before: Options, next: Options): Changes | undefined {
  if ((before.upstream.size === 0) !== (next.upstream.size === 0)) return SOURCE_CHANGES;
  const [was, is] = [before, next].map(({ upstream }) => soughtUpstreams(upstream));
  return isDeepStrictEqual(was, is) ? undefined : SOUGHT_CHANGES;
}

/** `ring.hash even → modulo` */
export function differenceText({ option, from, to }: Difference): string {
  return `${option} ${from === '' ? '(none)' : from} → ${to === '' ? '(none)' : to}`;
}

function written({ kind }: Option, value: unknown): string {
  const text = kind.write(value);
  return kind.secret && text !== '' ? HIDDEN : text;
}
