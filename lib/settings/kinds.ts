// The kinds of values that options have: how they are written, their bounds, and how they are read. Reading never
// throws: a text that is no such value gives `undefined`, and the caller knows which option it was for.

import { nearest } from './nearest.ts';
import { numberOrText, type Schema } from './schema.ts';

export interface Kind<T, Unit extends string = ''> {
  /** What the value is counted in. The option's key in `Options` ends with it. */
  readonly unit: Unit;
  /** Stands after the flag in the help. */
  readonly placeholder: string;
  /** Which values are allowed, in words that follow "takes". */
  readonly bounds: string;
  read(written: string): T | undefined;
  /** What is wrong with a text that is not read, and where in it; for kinds that are a language of their own. */
  fault?(written: string): string | undefined;
  write(value: T): string;
  /** What a file may have for it. */
  readonly schema: Schema;
  /** The value that a flag without a value has. */
  readonly bare?: string;
  /** The value is or holds a secret, so messages must not repeat it. */
  readonly secret?: true;
  /** The flag may be given several times. */
  readonly repeated?: Repeated<T>;
}

/** What to do with several values of one option. */
export interface Repeated<T> {
  /** The texts of the values that one environment variable holds. */
  split(variable: string): readonly string[];
  join(values: readonly T[]): T;
}

export function integer(least: number, most: number): Kind<number> {
  return {
    unit: '',
    placeholder: 'N',
    bounds: `a whole number from ${least} to ${most}`,
    read: (written) => (/^\d{1,9}$/.test(written) ? bounded(Number(written), least, most) : undefined),
    write: String,
    schema: { type: 'integer', minimum: least, maximum: most },
  };
}

export function decimal(least: number, most: number): Kind<number> {
  return {
    unit: '',
    placeholder: 'NUMBER',
    bounds: `a number from ${least} to ${most}`,
    read: (written) => (/^\d{1,9}(\.\d{1,20})?$/.test(written) ? bounded(Number(written), least, most) : undefined),
    write: String,
    schema: { type: 'number', minimum: least, maximum: most },
  };
}

/** Also takes `off`, which means no bound. Its value is Infinity, or `off` if that is given. */
export function orOff<Unit extends string>(
  kind: Kind<number, Unit>,
  off = Number.POSITIVE_INFINITY,
): Kind<number, Unit> {
  return {
    unit: kind.unit,
    placeholder: `${kind.placeholder}|off`,
    bounds: `${kind.bounds}, or off`,
    read: (written) => (written === 'off' ? off : kind.read(written)),
    write: (value) => (value === off ? 'off' : kind.write(value)),
    schema: { anyOf: [kind.schema, { const: 'off' }] },
  };
}

/** Takes `auto` too, which reads as 0 and is settled by the row. */
export function orAuto(kind: Kind<number>): Kind<number> {
  return {
    unit: '',
    placeholder: `${kind.placeholder}|auto`,
    bounds: `${kind.bounds}, or auto`,
    read: (written) => (written === 'auto' ? 0 : kind.read(written)),
    write: (value) => (value === 0 ? 'auto' : kind.write(value)),
    schema: { anyOf: [kind.schema, { const: 'auto' }] },
  };
}

/** Bytes, written as a bare number, or with a unit of powers of 1024. */
export function size(leastBytes: number, mostBytes: number): Kind<number, 'Bytes'> {
  return {
    unit: 'Bytes',
    placeholder: 'SIZE',
    bounds: `a size from ${writeBytes(leastBytes)} to ${writeBytes(mostBytes)}`,
    read: (written) => {
      const [, amount, unit = ''] = /^(\d{1,15})([kmg]?)$/i.exec(written) ?? [];
      if (amount === undefined) return undefined;
      return bounded(Number(amount) * (UNIT_BYTES[unit.toLowerCase()] as number), leastBytes, mostBytes);
    },
    write: writeBytes,
    schema: numberOrText(leastBytes, mostBytes, '^\\d{1,15}[kmgKMG]?$'),
  };
}

/** A size per second. */
export function rate(leastBytes: number, mostBytes: number): Kind<number, 'BytesPerSecond'> {
  return { ...size(leastBytes, mostBytes), unit: 'BytesPerSecond' };
}

/** Milliseconds, written as a bare number, or with a unit. */
export function duration(leastMs: number, mostMs: number): Kind<number, 'Ms'> {
  return {
    unit: 'Ms',
    placeholder: 'TIME',
    bounds: `a time from ${writeMs(leastMs)} to ${writeMs(mostMs)}`,
    read: (written) => {
      const [, amount, unit = 'ms'] = /^(\d{1,9})(ms|s|m|h)?$/.exec(written) ?? [];
      if (amount === undefined) return undefined;
      return bounded(Number(amount) * (UNIT_MS[unit] as number), leastMs, mostMs);
    },
    write: writeMs,
    schema: numberOrText(leastMs, mostMs, '^\\d{1,9}(ms|s|m|h)?$'),
  };
}

export function choice<const T extends string>(values: readonly T[]): Kind<T> {
  return {
    unit: '',
    placeholder: 'NAME',
    bounds: oneOf(values),
    read: (written) => values.find((value) => value === written),
    write: (value) => value,
    schema: { enum: values },
  };
}

/** A switch: the flag alone switches it on. */
export const onOff: Kind<boolean> = {
  unit: '',
  placeholder: 'on|off',
  bounds: 'on or off',
  bare: 'on',
  read: (written) => (written === 'on' ? true : written === 'off' ? false : undefined),
  write: (value) => (value ? 'on' : 'off'),
  schema: { enum: [true, false, 'on', 'off'] },
};

/** Any text but an empty one. */
export function text(what: string): Kind<string> {
  return {
    unit: '',
    placeholder: 'TEXT',
    bounds: what,
    read: (written) => written || undefined,
    write: (value) => value,
    schema: { type: 'string', minLength: 1 },
  };
}

/** A text that fits into an Authorization field as it is. */
export const token: Kind<string> = {
  unit: '',
  placeholder: 'TOKEN',
  bounds: 'visible characters of ASCII',
  read: (written) => (/^[!-~]{1,1000}$/.test(written) ? written : undefined),
  write: (value) => value,
  secret: true,
  schema: { type: 'string', pattern: '^[!-~]{1,1000}$' },
};

/** A value of a Docker label that a person can read. */
export const fleetName: Kind<string> = {
  unit: '',
  placeholder: 'NAME',
  bounds: 'letters, digits, `_`, `.` and `-`',
  read: (written) => (/^[\w.-]{1,63}$/.test(written) ? written : undefined),
  write: (value) => value,
  schema: { type: 'string', pattern: '^[\\w.-]{1,63}$' },
};

export const path: Kind<string> = { ...text('a path'), placeholder: 'PATH' };

/** The path of a Unix socket. sockaddr_un holds 107 bytes and a terminating zero. */
export const socketPath: Kind<string> = {
  unit: '',
  placeholder: 'PATH',
  bounds: 'a path of at most 107 bytes',
  read: (written) => (written !== '' && Buffer.byteLength(written) <= 107 ? written : undefined),
  write: (value) => value,
  schema: { type: 'string', minLength: 1 },
};

export const fileMode: Kind<number> = {
  unit: '',
  placeholder: 'MODE',
  bounds: 'a mode in octal, as 0600',
  read: (written) => (/^0?[0-7]{3}$/.test(written) ? Number.parseInt(written, 8) : undefined),
  write: (value) => value.toString(8).padStart(4, '0'),
  schema: { type: 'string', pattern: '^0?[0-7]{3}$' },
};

export const probedPath: Kind<string> = {
  unit: '',
  placeholder: 'PATH|tcp|off',
  bounds: 'a path that begins with /, tcp, or off',
  read: (written) => (/^(\/[!-~]*|tcp|off)$/.test(written) ? written : undefined),
  write: (value) => value,
  schema: { type: 'string', pattern: '^(/[!-~]*|tcp|off)$' },
};

/** The value of a Host field, or nothing. */
export const hostField: Kind<string> = {
  unit: '',
  placeholder: 'HOST',
  bounds: 'a host, with a port or without',
  read: (written) => (/^([\w.-]+|\[[\da-fA-F:.]+\])?(:\d{1,5})?$/.test(written) ? written : undefined),
  write: (value) => value,
  schema: { type: 'string' },
};

/** Ranges of statuses, both ends included. */
export const statuses: Kind<readonly (readonly [number, number])[]> = {
  unit: '',
  placeholder: 'LIST',
  bounds: 'a list of statuses and ranges of them, from 100 to 599',
  read: (written) => {
    const ranges = written.split(',').map((entry) => {
      const [, least, most = least] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(entry.trim()) ?? [];
      return [Number(least), Number(most)] as const;
    });
    return ranges.every(([least, most]) => least <= most) ? ranges : undefined;
  },
  write: (value) => value.map(([least, most]) => (least === most ? `${least}` : `${least}-${most}`)).join(','),
  schema: {
    anyOf: [
      { type: 'string', pattern: '^[1-5]' },
      {
        type: 'array',
        minItems: 1,
        items: { anyOf: [{ type: 'integer', minimum: 100, maximum: 599 }, { type: 'string' }] },
      },
    ],
  },
};

/** The name of a hash pair, or the path of a module. Only a path has a slash. */
export function hashSource(names: readonly string[]): Kind<string> {
  return {
    unit: '',
    placeholder: 'NAME|PATH',
    bounds: `${oneOf(names)}, or the path of a module`,
    read: (written) => (names.includes(written) || written.includes('/') ? written : undefined),
    write: (value) => value,
    fault: (written) => {
      if (/\.[cm]?[jt]s$/.test(written)) return `for that file write ./${written}`;
      const meant = nearest(written, names, 2);
      return meant === undefined ? undefined : `did you mean ${meant}?`;
    },
    schema: { anyOf: [{ enum: names }, { type: 'string', pattern: '/' }] },
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

function writeBytes(bytes: number): string {
  for (const unit of ['g', 'm', 'k']) {
    const unitBytes = UNIT_BYTES[unit] as number;
    if (bytes >= unitBytes && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return String(bytes);
}

function writeMs(ms: number): string {
  for (const unit of ['h', 'm', 's']) {
    const unitMs = UNIT_MS[unit] as number;
    if (ms >= unitMs && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}

/** The end of a message about a text that is not read: what is wrong within it, if its kind can say. */
export function faultIn({ fault }: Pick<Kind<unknown, string>, 'fault'>, written: string): string {
  const what = fault?.(written);
  return what === undefined ? '' : `: ${what}`;
}

/** The value, or `undefined` if it is out of bounds. */
export function bounded(value: number, least: number, most: number): number | undefined {
  return value >= least && value <= most ? value : undefined;
}

function oneOf(values: readonly string[]): string {
  return values.length === 1 ? `${values[0]}` : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}
