// The forms of a request target (RFC 9112, 3.2). The ring and the balancer's own endpoints must see the same path in
// each of them.

import { BalancerError } from '../errors.ts';

/** The target without scheme and authority, if it has them; empty if nothing is left. */
export function originForm(target: string): string {
  return target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '');
}

/** The authority of a target in absolute form; `undefined` for one in another form. */
export function authorityOf(target: string): string | undefined {
  return target.startsWith('/') ? undefined : /^https?:\/\/([^/?#]+)/i.exec(target)?.[1];
}

/** The path of a target in either form, without its query. */
export function pathOf(target: string): string {
  const form = originForm(target);
  const mark = form.indexOf('?');
  return mark === -1 ? form : form.slice(0, mark);
}

/**
 * The target to pass on, and the authority if it was absolute. Throws `bad-request` if it is neither a path nor a URL.
 */
export function readTarget({ method, url }: { readonly method: string; readonly url: string }): {
  path: string;
  authority: string | undefined;
} {
  // A fragment is for the client alone (RFC 9112, 3.2). Some replicas cut it off and some do not, so they might see
  // another path than we do.
  if (url.includes('#')) throw new BalancerError('bad-request', 'the request target has a fragment');
  if (url.charCodeAt(0) === 0x2f || (url === '*' && method === 'OPTIONS')) return { path: url, authority: undefined };
  // An authority in absolute-form overrides the Host field (RFC 9112, 3.2.2).
  const [, authority, path = ''] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(url) ?? [];
  if (authority === undefined) throw new BalancerError('bad-request', 'the request target is not a path');
  if (path === '' && method === 'OPTIONS') return { path: '*', authority };
  return { path: path.startsWith('/') ? path : `/${path}`, authority };
}
