// One JSON line per event on standard error, so that standard output stays for people. Lines are kept, and read by others: what
// comes from outside is cut to a bound, and of a request's target the values of its query are left out.

export const LOG_LEVELS = ['off', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Names what happened, in kebab-case, with what one needs to know about it. Any text in it may be of somebody else's; a request's
 * target is `url`.
 */
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

const MOST_CHARACTERS = 256;
// Of our own mistakes one wants to know the place.
const MOST_OF_STACK = 4096;

/** A log of `level` and what is graver. `write` gets whole lines, newline included. */
export function createLog(level: LogLevel, write: (line: string) => void, now: () => Date): Log {
  const line =
    (of: LogLevel): LogLine =>
    (event, details) => {
      if (LOG_LEVELS.indexOf(of) > LOG_LEVELS.indexOf(level)) return;
      write(`${JSON.stringify({ time: now().toISOString(), level: of, event, ...details }, bounded)}\n`);
    };
  return {
    error: line('error'),
    warn: line('warn'),
    info: line('info'),
    debug: line('debug'),
    writesDebug: level === 'debug',
  };
}

// The attack: a disk filled by targets of 60 KB, at a request each (test/log.test.ts).
function bounded(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const text = key === 'url' ? withoutSecrets(value) : value;
  const most = key === 'stack' ? MOST_OF_STACK : MOST_CHARACTERS;
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

// The attack: a token in a link, read by whoever may read the log but not use the service. A part of a query without a name may be
// one too, unless it is short.
function withoutSecrets(url: string): string {
  const start = url.slice(0, 4096);
  const mark = start.search(/[?#]/);
  const [path, query] = mark === -1 ? [start, ''] : [start.slice(0, mark), start.slice(mark)];
  return (
    path.replace(/^(\w+:\/\/)[^/@]*@/, '$1…@') +
    query.replace(/([?&;#])([^=&;]*)(=[^&;]*)?/g, (_, separator, name, value) => {
      if (value !== undefined) return `${separator}${name}=…`;
      return name.length > 20 ? `${separator}…` : `${separator}${name}`;
    })
  );
}
