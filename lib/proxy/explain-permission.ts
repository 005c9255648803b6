// `X-Ringmaster-Explain: 1` reveals the fleet. Others decide who may ask; this file builds the head of the request
// accordingly. Pure.

import type { Underscores } from '../core/traffic-settings.ts';
import type { MayBeTold } from '../http/credentials.ts';
import { type ClientFacts, type ParsedRequest, type RequestHead, requestHead } from '../http/headers.ts';

/** The request's head as `requestHead` builds it. `asksWhy` is cleared if the client may not be told. */
export function permittedHead<Request extends ParsedRequest>(
  mayBeTold: (request: Request) => MayBeTold,
  request: Request,
  client: ClientFacts,
  underscores: Underscores,
  offered: string | undefined,
  hopsLeft: number | undefined,
): RequestHead {
  const head = requestHead(request, client, underscores, offered, hopsLeft);
  if (!head.asksWhy) return head;
  const told = mayBeTold(request);
  if (told === 'yes') return head;
  if (told === 'no') return { ...head, asksWhy: false };
  // The attack: the service behind reads the admin token of whoever asked (test/admin/access.test.ts).
  return requestHead(withoutAuthorization(request), client, underscores, offered, hopsLeft);
}

function withoutAuthorization(request: ParsedRequest): ParsedRequest {
  const { method, url, httpVersionMajor, httpVersionMinor, rawHeaders } = request;
  const isKept = (_: string, index: number) => rawHeaders[index - (index % 2)]?.toLowerCase() !== 'authorization';
  return { method, url, httpVersionMajor, httpVersionMinor, rawHeaders: rawHeaders.filter(isKept) };
}
