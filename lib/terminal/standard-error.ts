// The log on standard error: JSON lines for programs and files, lines for people on a terminal.

import { type AdjustableLog, createLog, type LogFormat, type LogLevel } from '../log.ts';
import { lineWriter } from '../log-stream.ts';
import { textLine } from './log-text.ts';
import { paintFor } from './paint.ts';

// One for the process, however many balancers it has: what waits to be read has one bound.
let writer: ((line: string) => void) | undefined;

/** Has no effect before the first entry is written. */
export function standardErrorLog(level: LogLevel, format: LogFormat): AdjustableLog {
  const isText = format === 'text' || (format === 'auto' && process.stderr.isTTY);
  const paint = paintFor(process.stderr);
  const write = (line: string) => {
    writer ??= lineWriter(process.stderr, (count) => log.error('log-lines-dropped', { count }));
    writer(isText ? textLine(line, paint) : line);
  };
  const log = createLog(level, write, () => new Date());
  return log;
}
