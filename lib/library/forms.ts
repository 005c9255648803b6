// The forms that options take in a program: the value itself, and for some a text, a list or a function.

import type { KeyFunction } from '../core/request/key-source.ts';
import type { HashPair } from '../core/ring/hashes/hash-pair.ts';
import type { HashName } from '../core/ring/hashes/table.ts';
import type { LogLevel } from '../log.ts';
import type { Options } from '../settings/options.ts';

/** An entry of the log. Its texts are cut to a bound, and the values of query strings are left out. */
export interface LogEntry {
  /** In ISO 8601, as `2026-11-26T20:31:05.123Z`. */
  readonly time: string;
  readonly level: Exclude<LogLevel, 'off'>;
  /** What happened, in kebab-case. */
  readonly event: string;
  /** What one needs to know about it. */
  readonly [detail: string]: unknown;
}

export type LogFunction = (entry: LogEntry) => void;

/** A function that gets entries of this level and graver ones. */
export interface LogTarget {
  readonly level: LogLevel;
  readonly write: LogFunction;
}

/** A text as on the command line, `a,b`, or a list of its parts. */
type List = string | readonly string[];

interface Forms {
  /** A name, the path of a module (with a `/` in it), or the two functions. */
  /** `2:20`, the bounds, or `off`. */
  readonly autoscale: string | Options['autoscale'];
  readonly hash: HashName | (string & Record<never, never>) | HashPair;
  readonly key: List | KeyFunction | Options['key'];
  /** The function alone gets entries of `info` and graver. */
  readonly log: LogLevel | LogFunction | LogTarget;
  readonly upstream: List | Options['upstream'];
  readonly trustProxy: List;
  readonly heartbeatStatus: List | Options['heartbeatStatus'];
}

/** What an option may be set to. A text is read as on the command line. */
export type Given<K extends keyof Options> = K extends keyof Forms
  ? Forms[K]
  : Options[K] extends number
    ? number | string
    : Options[K] extends boolean
      ? boolean | 'on' | 'off'
      : Options[K] extends ReadonlyMap<string, string>
        ? List | Readonly<Record<string, string>> | Options[K]
        : Options[K];
