// The trace that a request belongs to (W3C Trace Context). This proxy records no spans, so what is valid passes as it
// came; who has no trace can be given one. Pure.

// Version, trace id, parent id, flags. Version ff is none, and neither id is all zeros (sections 2.2 and 3.2).
const VALID = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(-.*)?$/;
const LENGTH_00 = 55;

/** The request's traceparent; `undefined` if it has none, several, or one that is not valid. */
export function traceparentOf(rawHeaders: readonly string[]): string | undefined {
  let found: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (name.length !== 11 || name.toLowerCase() !== 'traceparent') continue;
    if (found !== undefined) return undefined;
    found = rawHeaders[index + 1];
  }
  return found !== undefined && isTraceparent(found) ? found : undefined;
}

/** A later version may be longer (section 4.3). */
export function isTraceparent(value: string): boolean {
  return VALID.test(value) && (value.length === LENGTH_00 || !value.startsWith('00'));
}

/** The fields with this traceparent. A tracestate says something about another trace, so it is left out. */
export function withTrace(rawHeaders: readonly string[], traceparent: string): string[] {
  const isKept = (_: string, index: number) => {
    const name = rawHeaders[index - (index % 2)] as string;
    return (name.length !== 10 && name.length !== 11) || !/^(traceparent|tracestate)$/i.test(name);
  };
  return [...rawHeaders.filter(isKept), 'traceparent', traceparent];
}
