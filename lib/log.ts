// One JSON line per event on standard error, so that standard output stays for people.

export const LOG_LEVELS = ['off', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Names what happened, in kebab-case, with what one needs to know about it. */
export type LogLine = (event: string, details?: Readonly<Record<string, unknown>>) => void;

export interface Log {
  readonly error: LogLine;
  /** What an operator should mend, though the program goes on: a doubtful setting, a limit that cannot be had. */
  readonly warn: LogLine;
  readonly info: LogLine;
  readonly debug: LogLine;
  /** Debug lines are written: for those that are costly to make. */
  readonly writesDebug: boolean;
}

/** A log of `level` and what is graver. `write` gets whole lines, newline included. */
export function createLog(level: LogLevel, write: (line: string) => void, now: () => Date): Log {
  const line =
    (of: LogLevel): LogLine =>
    (event, details) => {
      if (LOG_LEVELS.indexOf(of) > LOG_LEVELS.indexOf(level)) return;
      write(`${JSON.stringify({ time: now().toISOString(), level: of, event, ...details })}\n`);
    };
  return {
    error: line('error'),
    warn: line('warn'),
    info: line('info'),
    debug: line('debug'),
    writesDebug: level === 'debug',
  };
}
