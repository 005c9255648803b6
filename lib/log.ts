// Writes log entries: one JSON line each. lib/terminal/log-text.ts makes lines for people of them. Logs are kept, and
// read by others, so what comes from outside is cut to a bound, and values in the query of a request's target are left
// out.

export const LOG_LEVELS = ['off', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `auto`: text where standard error is a terminal, else JSON. */
export const LOG_FORMATS = ['auto', 'json', 'text'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/**
 * Writes a log entry. `event` names what happened, in kebab-case; `details` has what a reader needs to know about it.
 * Texts in it may come from anybody. A request's target must be under `url`, from which secrets are removed.
 */
export type LogLine = (event: string, details?: Readonly<Record<string, unknown>>) => void;

export interface Log {
  readonly error: LogLine;
  /**
   * Something that an operator should fix, though the program goes on: a doubtful setting, a limit that cannot be had.
   */
  readonly warn: LogLine;
  readonly info: LogLine;
  readonly debug: LogLine;
  /** Debug entries are written. Lets callers skip those that are costly to make. */
  readonly writesDebug: boolean;
}

/** A log whose level may change. */
export interface AdjustableLog extends Log {
  level: LogLevel;
}

const MOST_CHARACTERS = 256;
// A stack shows where a mistake of our own is, so it may be longer.
const MOST_OF_STACK = 4096;

/** Makes a log of `level` and graver ones. `write` gets whole lines, newline included. */
export function createLog(level: LogLevel, write: (line: string) => void, now: () => Date): AdjustableLog {
  const line =
    (of: LogLevel): LogLine =>
    (event, details) => {
      if (LOG_LEVELS.indexOf(of) > LOG_LEVELS.indexOf(log.level)) return;
      write(`${JSON.stringify({ time: now().toISOString(), level: of, event, ...details }, bounded)}\n`);
    };
  const log = {
    level,
    error: line('error'),
    warn: line('warn'),
    info: line('info'),
    debug: line('debug'),
    get writesDebug() {
      return log.level === 'debug';
    },
  };
  return log;
}

// The attack: a disk filled by targets of 60 KB, with one request for each (test/log.test.ts).
function bounded(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const text = key === 'url' ? withoutSecrets(value) : value;
  const most = key === 'stack' ? MOST_OF_STACK : MOST_CHARACTERS;
  return text.length > most ? `${text.slice(0, most)}…` : text;
}

// The attack: a token in a link is read by somebody who may read the log but not use the service. A part of a query
// without a name may be a token too, unless it is short.
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
