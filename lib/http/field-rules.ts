// Tells from its name what kind a field is. One table holds the rules; a quick check of each name is derived from it.
// What happens to each kind is decided in headers.ts and trailers.ts. Pure, and fast, since it runs for each field of
// each head.

/**
 * `hop`: for one hop only (RFC 9110, 7.6.1). `forwarding`: says where a request comes from. `own`: another rule of this
 * proxy reads it.
 */
export type FieldKind = 'hop' | 'forwarding' | 'own';

const NAMES: Readonly<Record<FieldKind, string>> = {
  hop: 'connection keep-alive proxy-connection proxy-authenticate proxy-authorization te transfer-encoding upgrade',
  forwarding: 'forwarded x-real-ip x-forwarded',
  own: 'host content-length expect max-forwards date via authorization x-ringmaster-explain',
};

// Proxies invent more names with this prefix than anybody can list.
const PREFIXES: readonly (readonly [prefix: string, kind: FieldKind])[] = [['x-forwarded-', 'forwarding']];

interface Rule {
  readonly name: string;
  readonly kind: FieldKind;
}

// Rules are filed by the name's length and the last five bits of its first letter, which do not depend on its case. The
// last row holds all longer names. A map would have to hash the whole name before it could say that there is no rule
// for it.
const ROWS = 64;
/** `cellOf` gives numbers below this one. */
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

/** A number below `CELLS` that does not depend on the case of the name's letters, to index tables of names. */
export function cellOf(name: string, length: number): number {
  return Math.min(length, ROWS - 1) * 32 + (name.charCodeAt(0) & 31);
}

/**
 * Can there be a rule for a field of this name, or for a name that it is an alias of? If not, nobody need lower its
 * case. The attack: a name that has a rule but is skipped here for its looks, as X-Forwarded-Access-Token once was for
 * its length (test/proxy/field-rules.test.ts).
 */
export function mayHaveRule(name: string): boolean {
  return RULED[cellOf(name, name.length)] === 1;
}

/**
 * Would a server that turns names into variables, as CGI does, confuse this name with one that has a rule here? The
 * attack: `X_Real_IP` or `Content_Length` match no rule here but become HTTP_X_REAL_IP and CONTENT_LENGTH there.
 * @param lower the name in lower case.
 */
export function isAlias(lower: string): boolean {
  return isOdd(lower) && kindOf(plain(lower)) !== undefined;
}

/** Has the name characters other than letters, digits and `-`? */
export function isOdd(name: string): boolean {
  for (let at = 0; at < name.length; at++) if (isOddCode(name.charCodeAt(at))) return true;
  return false;
}

/**
 * The name with `-` in place of every character that such a server reads like one.
 * @param lower the name in lower case.
 */
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
