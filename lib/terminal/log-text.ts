// Turns entries of the log into lines for people: when, how grave, what happened to whom and why, then the rest. They
// are made of the JSON lines that lib/log.ts writes. Only incarnations are left out, which tell a person nothing.

import { printable } from '../core/printable.ts';
import type { Format, Paint } from './paint.ts';

interface Entry {
  readonly time: string;
  readonly level: string;
  readonly event: string;
  readonly hostname?: unknown;
  readonly reason?: unknown;
  readonly stack?: unknown;
  readonly [detail: string]: unknown;
}

const COLOURS: Readonly<Record<string, Format>> = { error: 'red', warn: 'yellow', info: 'green', debug: 'dim' };
const LONGEST_LEVEL = 5;

/**
 * `20:31:05 warn  replica lost server2: killed by SIGKILL (seat 2)`, with a line end. The time is local.
 * @param json a whole line of the log.
 */
export function textLine(json: string, paint: Paint): string {
  const { time, level, event, hostname, reason, stack, incarnation: _, ...rest } = JSON.parse(json) as Entry;
  const words = [event.replaceAll('-', ' '), ...(hostname === undefined ? [] : [valueText(hostname)])].join(' ');
  const why = reason === undefined ? '' : `: ${valueText(reason)}`;
  const details = Object.entries(rest).map(([name, value]) => detailText(name, value));
  const start = `${paint('dim', clockTime(time))} ${paint(COLOURS[level] ?? 'dim', level.padEnd(LONGEST_LEVEL))}`;
  const end = details.length === 0 ? '' : ` ${paint('dim', `(${details.join(', ')})`)}`;
  return `${start} ${printable(words)}${why}${end}\n${stackLines(stack)}`;
}

function clockTime(time: string): string {
  return new Date(time).toTimeString().slice(0, 8);
}

// `requestId` is told as "request id 123456", and `waitMs` as "wait 12 ms", or "wait 1.5 s".
function detailText(name: string, value: unknown): string {
  const words = name.replace(/Ms$/, '').replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  if (name.endsWith('Ms') && typeof value === 'number') return `${printable(words)} ${timeText(value)}`;
  return `${printable(words)} ${valueText(value)}`;
}

function timeText(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${ms / 1000} s`;
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(valueText).join(' ');
  return printable(typeof value === 'string' ? value : JSON.stringify(value));
}

function stackLines(stack: unknown): string {
  if (typeof stack !== 'string') return '';
  return stack
    .split('\n')
    .map((line) => `    ${printable(line.trim())}\n`)
    .join('');
}
