// Tells whether a page of another origin made a request, in a visitor's browser. The attack: any page on the web has
// its visitors vote here, by a form, or by fetch with a body of text/plain, which a browser sends without asking
// (test/replica/foreign-pages.test.ts). A browser says where a request comes from, which no page can change; programs
// say nothing.

import type { IncomingHttpHeaders } from 'node:http';

export function isForeignPage(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  // This is the browser's own word, so it also holds if a proxy has changed the Host.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin, host = '', 'x-forwarded-host': forwarded = '' } = headers;
  return origin !== undefined && ![host, ...String(forwarded).split(',')].some((own) => isOrigin(origin, own.trim()));
}

// Only the host and port count: the scheme differs behind something that ends TLS. Default ports are left out in either
// scheme.
function isOrigin(origin: string, own: string): boolean {
  const [, scheme, given = ''] = /^(https?):\/\/(.+)$/.exec(origin.toLowerCase()) ?? [];
  const standard = scheme === 'http' ? /:80$/ : /:443$/;
  return scheme !== undefined && given.replace(standard, '') === own.toLowerCase().replace(standard, '');
}
