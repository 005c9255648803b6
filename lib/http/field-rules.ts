// What a field is by its name: one table, from which the quick look at each name is made too. What is done with which kind is for
// headers.ts and trailers.ts. Pure, and quick: it is asked for each field of each head.

/**
 * `hop`: for one hop only (RFC 9110, 7.6.1). `forwarding`: says where a request comes from. `own`: some other rule of this proxy
 * looks at it.
 */
export type FieldKind = 'hop' | 'forwarding' | 'own';

const NAMES: Readonly<Record<FieldKind, string>> = {
  hop: 'connection keep-alive proxy-connection proxy-authenticate proxy-authorization te transfer-encoding upgrade',
  forwarding: 'forwarded x-real-ip x-forwarded',
  own: 'host content-length expect max-forwards date via authorization x-ringmaster-explain',
};

// Whatever follows: there are more of them than anybody can list.
const PREFIXES: readonly (readonly [prefix: string, kind: FieldKind])[] = [['x-forwarded-', 'forwarding']];

interface Rule {
  readonly name: string;
  readonly kind: FieldKind;
}

// By length and the last five bits of the first letter, which are those of both its cases; the last row is for all longer names. A map
// would have to read the whole of a name before it says that it has none such.
const ROWS = 64;
/** How many numbers `cellOf` gives. */
export const CELLS = ROWS * 32;
const RULES: Rule[][] = Array.from({ length: CELLS }, () => []);
const RULED = new Uint8Array(CELLS);
for (const [kind, names] of Object.entries(NAMES)) {
  for (const name of names.split(' ')) {
    RULES[cellOf(name, name.length)]?.push({ name, kind: kind as FieldKind });
    RULED[cellOf(name, name.length)] = 1;
  }
}
for (const [prefix] of PREFIXES) {
  for (let length = prefix.length; length < ROWS; length++) RULED[cellOf(prefix, length)] = 1;
}

/** @param lower the name in lower case. */
export function kindOf(lower: string): FieldKind | undefined {
  const rules = RULES[cellOf(lower, lower.length)] as Rule[];
  for (let at = 0; at < rules.length; at++) {
    const rule = rules[at] as Rule;
    if (rule.name === lower) return rule.kind;
  }
  for (let at = 0; at < PREFIXES.length; at++) {
    const [prefix, kind] = PREFIXES[at] as readonly [string, FieldKind];
    if (lower.startsWith(prefix)) return kind;
  }
  return undefined;
}

/** A number of a name that is the same in any case of its letters, below `CELLS`: for tables of names. */
export function cellOf(name: string, length: number): number {
  return Math.min(length, ROWS - 1) * 32 + (name.charCodeAt(0) & 31);
}

/**
 * May `kindOf` know a field of that name, or one that it is an alias of? If not, it need not be put into lower case. The attack: a
 * name that is covered by a rule but passed over here for its looks, as X-Forwarded-Access-Token was for its length
 * (test/proxy/field-rules.test.ts).
 */
export function mayHaveRule(name: string): boolean {
  return RULED[cellOf(name, name.length)] === 1;
}

/**
 * Does a server that makes variables of names, as CGI does, read that name as one of a kind of ours? The attack: `X_Real_IP` or
 * `Content_Length`, which pass by every rule here and are HTTP_X_REAL_IP and CONTENT_LENGTH there.
 * @param lower the name in lower case.
 */
export function isAlias(lower: string): boolean {
  return isOdd(lower) && kindOf(plain(lower)) !== undefined;
}

/** Has the name other characters than letters, digits and `-`? */
export function isOdd(name: string): boolean {
  for (let at = 0; at < name.length; at++) if (isOddCode(name.charCodeAt(at))) return true;
  return false;
}

/** The name with `-` for all that such a server takes for it. @param lower the name in lower case. */
export function plain(lower: string): string {
  if (!isOdd(lower)) return lower;
  let text = '';
  for (let at = 0; at < lower.length; at++) text += isOddCode(lower.charCodeAt(at)) ? '-' : lower[at];
  return text;
}

function isOddCode(code: number): boolean {
  const letter = code | 0x20;
  return (letter < 0x61 || letter > 0x7a) && (code < 0x30 || code > 0x39) && code !== 0x2d;
}
