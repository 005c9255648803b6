// The forms of a request target (RFC 9112, 3.2): what the ring and the balancer's own endpoints go by is the same in each.

/** A target without scheme and authority, should it come in absolute form; empty if nothing is left. */
export function originForm(target: string): string {
  return target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '');
}
