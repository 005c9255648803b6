// The log of a worker: entries go to the main thread, which writes them. What it has not written yet is bounded; beyond
// that entries are dropped and counted, and the count is told when there is room again: no request waits for who writes
// the log.

import { LOG_LEVELS, type Log, type LogLevel, type LogLine } from '../../log.ts';
import type { LogEntry } from './messages.ts';

// Of debug, what some hundredths of a second bring. A target is as long as a head may be, so both are bounded.
const MOST_UNWRITTEN = 1024;
const MOST_CHARACTERS = 4096;

export class LogSender {
  readonly log: Log;
  /** The least grave one that is wanted. */
  level: LogLevel;
  readonly #send: (entries: readonly LogEntry[]) => void;
  #unwritten = 0;
  #dropped = 0;
  #waiting: LogEntry[] = [];

  constructor(level: LogLevel, send: (entries: readonly LogEntry[]) => void) {
    this.level = level;
    this.#send = send;
    const writesDebug = () => this.level === 'debug';
    this.log = {
      error: this.#lineOf('error'),
      warn: this.#lineOf('warn'),
      info: this.#lineOf('info'),
      debug: this.#lineOf('debug'),
      get writesDebug() {
        return writesDebug();
      },
    };
  }

  /** The main thread has written so many. */
  onWritten(count: number): void {
    this.#unwritten -= count;
    if (this.#dropped === 0 || this.#unwritten > MOST_UNWRITTEN / 2) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.log.error('log-lines-dropped', { count: dropped });
  }

  /** What waits to be sent with what comes in the same turn is sent now. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const entries = this.#waiting;
    this.#waiting = [];
    this.#send(entries);
  }

  #lineOf(level: LogEntry['level']): LogLine {
    return (event, details) => {
      if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(this.level)) return;
      // As in log-stream.ts: once one is dropped, all are until there is room, so that the count stands where they are
      // missing.
      if (this.#dropped > 0 || this.#unwritten >= MOST_UNWRITTEN) {
        this.#dropped += 1;
        return;
      }
      this.#unwritten += 1;
      if (this.#waiting.push({ level, event, details: details && shortened(details) }) === 1) {
        setImmediate(() => this.flush());
      }
    };
  }
}

function shortened(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const short = (value: unknown) => (typeof value === 'string' ? value.slice(0, MOST_CHARACTERS) : value);
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, short(value)]));
}
