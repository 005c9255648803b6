// Whether a replica may have answered a request without having read its body. Some servers leave the body where it is and take it for
// the next request on that connection: Python's http.server does not look for one behind GET, nor behind a POST that its program
// refuses; most others read on or close.
//
// The attack: a GET whose body is a whole request. Its reply would be the next one that comes on that connection, to somebody else's
// request (test/proxy/unread-bodies.test.ts). A connection costs less than finding out.

// Whose content means something (RFC 9110, 9.3; RFC 4918; RFC 3253; RFC 5323), so that it is read where it is served.
const WITH_CONTENT = new Set('POST PUT PATCH QUERY PROPFIND PROPPATCH LOCK REPORT SEARCH'.split(' '));

/** @param status of the reply: what is refused, or answered from elsewhere, may have been before its body was looked at. */
export function mayBeUnread(method: string, status: number): boolean {
  return status >= 300 || !WITH_CONTENT.has(method);
}
