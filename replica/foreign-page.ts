// Was a request made by a page of somebody else's, in the browser of a visitor? The attack: any page on the web has its visitors vote
// here, by a form or by fetch with a body of text/plain, for which a browser asks nobody (test/replica/foreign-pages.test.ts).
// A browser says where a request comes from, and no page can change that; programs say nothing.

import type { IncomingHttpHeaders } from 'node:http';

export function isForeignPage(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  // The browser's own word: it holds also where a proxy on the way has changed the Host.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin, host = '', 'x-forwarded-host': forwarded = '' } = headers;
  return origin !== undefined && ![host, ...String(forwarded).split(',')].some((own) => isOrigin(origin, own.trim()));
}

// Behind something that ends TLS the scheme differs; the default port of neither is written.
function isOrigin(origin: string, own: string): boolean {
  const [, scheme, given = ''] = /^(https?):\/\/(.+)$/.exec(origin.toLowerCase()) ?? [];
  const standard = scheme === 'http' ? /:80$/ : /:443$/;
  return scheme !== undefined && given.replace(standard, '') === own.toLowerCase().replace(standard, '');
}
