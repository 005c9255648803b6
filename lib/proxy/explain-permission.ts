// `X-Ringmaster-Explain: 1` tells of the fleet: who may ask is said by others, and what becomes of the request here. Pure.

import type { ParsedRequest, RequestHead } from './headers.ts';

/** May the request that asks be told why it goes where it goes: by itself, by the admin token that it shows, or not? */
export type MayBeTold = 'yes' | 'by-token' | 'no';

/**
 * The head of a request that asks, as it goes on.
 * @param headOf makes it anew.
 */
export function headAsPermitted(
  told: MayBeTold,
  head: RequestHead,
  request: ParsedRequest,
  headOf: (request: ParsedRequest) => RequestHead,
): RequestHead {
  // The attack: the service behind reads the admin token of who asked (test/admin/access.test.ts).
  if (told === 'by-token') return headOf(withoutAuthorization(request));
  return told === 'yes' ? head : { ...head, asksWhy: false };
}

function withoutAuthorization(request: ParsedRequest): ParsedRequest {
  const { method, url, httpVersionMajor, httpVersionMinor, rawHeaders } = request;
  const isKept = (_: string, index: number) => rawHeaders[index - (index % 2)]?.toLowerCase() !== 'authorization';
  return { method, url, httpVersionMajor, httpVersionMinor, rawHeaders: rawHeaders.filter(isKept) };
}
