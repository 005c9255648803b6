// The forms of a request target (RFC 9112, 3.2): what the ring and the balancer's own endpoints go by is the same in each.

import { BalancerError } from '../errors.ts';

/** A target without scheme and authority, should it come in absolute form; empty if nothing is left. */
export function originForm(target: string): string {
  return target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '');
}

/** The path of a target in either form, without its query. */
export function pathOf(target: string): string {
  const form = originForm(target);
  const mark = form.indexOf('?');
  return mark === -1 ? form : form.slice(0, mark);
}

/** What is passed on as the target, and the authority of an absolute one. Throws `bad-request` for one that is neither path nor URL. */
export function readTarget({ method, url }: { readonly method: string; readonly url: string }): {
  path: string;
  authority: string | undefined;
} {
  // A fragment is for the client alone (RFC 9112, 3.2): a replica may cut it off, or not, and so see another path than ours.
  if (url.includes('#')) throw new BalancerError('bad-request', 'the request target has a fragment');
  if (url.charCodeAt(0) === 0x2f || (url === '*' && method === 'OPTIONS')) return { path: url, authority: undefined };
  // absolute-form: what it names goes before the Host field (RFC 9112, 3.2.2).
  const [, authority, path = ''] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(url) ?? [];
  if (authority === undefined) throw new BalancerError('bad-request', 'the request target is not a path');
  if (path === '' && method === 'OPTIONS') return { path: '*', authority };
  return { path: path.startsWith('/') ? path : `/${path}`, authority };
}
