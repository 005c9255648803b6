// Patterns of paths, as `/rooms/{}` and `/api/{}/items`: what stands at each `{}` is captured. A pattern is compared
// segment by segment, from the left, so a match takes time linear in the path, whatever the path says. Pure.

const HOLE = '{}';
const MOST_SEGMENTS = 32;

/** Why a text is no pattern; `undefined` if it is one. */
export function patternFault(pattern: string): string | undefined {
  if (!pattern.startsWith('/')) return 'a pattern begins with /';
  const segments = segmentsOf(pattern);
  if (segments.length > MOST_SEGMENTS) return `a pattern has at most ${MOST_SEGMENTS} segments`;
  if (segments.some((segment) => segment.split(HOLE).length > 2)) return 'a segment has at most one {}';
  return segments.some((segment) => segment.includes(HOLE)) ? undefined : 'a pattern has a {} for what it captures';
}

/**
 * Makes what reads a path without its query: gives what stands at the `{}`, with a `/` between several, which cannot
 * be in one of them. `undefined` if the path does not begin like the pattern, or nothing stands at one of them.
 * What follows in the path does not matter: `/rooms/{}` captures the same of `/rooms/7` and of `/rooms/7/events`.
 * @param pattern has no fault.
 */
export function compilePattern(pattern: string): (path: string) => string | undefined {
  const segments = segmentsOf(pattern).map((segment) => {
    const at = segment.indexOf(HOLE);
    return at === -1 ? segment : { before: segment.slice(0, at), after: segment.slice(at + HOLE.length) };
  });
  return (path) => {
    let captured: string | undefined;
    let from = 1;
    for (const segment of segments) {
      if (from > path.length) return undefined;
      const slash = path.indexOf('/', from);
      const end = slash === -1 ? path.length : slash;
      if (typeof segment === 'string') {
        if (end - from !== segment.length || !path.startsWith(segment, from)) return undefined;
      } else {
        const { before, after } = segment;
        const [start, stop] = [from + before.length, end - after.length];
        const fits = start < stop && path.startsWith(before, from) && path.startsWith(after, stop);
        if (!fits) return undefined;
        const found = path.slice(start, stop);
        captured = captured === undefined ? found : `${captured}/${found}`;
      }
      from = end + 1;
    }
    return captured;
  };
}

/** The segment of that number, 1 for the first; `undefined` if the path has none there, or an empty one. */
export function segmentOf(path: string, number: number): string | undefined {
  let from = 1;
  for (let passed = 1; passed < number; passed++) {
    const slash = path.indexOf('/', from);
    if (slash === -1) return undefined;
    from = slash + 1;
  }
  const slash = path.indexOf('/', from);
  return path.slice(from, slash === -1 ? path.length : slash) || undefined;
}

// A slash at the end makes no segment.
function segmentsOf(pattern: string): string[] {
  const segments = pattern.slice(1).split('/');
  return segments.at(-1) === '' ? segments.slice(0, -1) : segments;
}
