// The log of a balancer in a program: nothing, lines on standard error, or calls of a function.

import { type AdjustableLog, createLog, type LogFormat, type LogLevel } from '../log.ts';
import { OptionError } from '../settings/options.ts';
import { standardErrorLog } from '../terminal/standard-error.ts';
import type { LogEntry, LogFunction, LogTarget } from './forms.ts';

/** A level that is none is returned as it is: it is refused with the other options. */
export function logOf(
  form: LogLevel | LogFunction | LogTarget,
  format: LogFormat = 'auto',
): { readonly level: LogLevel; readonly log: AdjustableLog } {
  if (typeof form === 'string') return { level: form, log: standardErrorLog(form, format) };
  const { level, write } = typeof form === 'function' ? { level: 'info' as const, write: form } : Object(form);
  if (typeof write !== 'function') {
    throw new OptionError('log takes a level, a function, or both as { level, write }');
  }
  // The function gets what a line of the log has, cut and without secrets. If it throws, that is no part of what it is
  // told of.
  const tell = (line: string) => {
    const entry: LogEntry = JSON.parse(line);
    queueMicrotask(() => write(entry));
  };
  return { level, log: createLog(level, tell, () => new Date()) };
}
