// Tells whether a replica may have replied without reading the request's body. Some servers leave the body on the
// connection and take it for the next request: Python's http.server looks for no body behind GET, nor behind a POST
// that its program refuses. Most others read on or close.
//
// The attack: a GET whose body is a whole request. The reply to that one would be taken for the reply to the next
// request on the connection, which is somebody else's (test/proxy/unread-bodies.test.ts). Closing a connection costs
// less than finding out.

// Methods whose content has a meaning (RFC 9110, 9.3; RFC 4918; RFC 3253; RFC 5323), so that servers read it.
const WITH_CONTENT = new Set('POST PUT PATCH QUERY PROPFIND PROPPATCH LOCK REPORT SEARCH'.split(' '));

/** @param status of the reply. A request that is refused or redirected may not have had its body looked at. */
export function mayBeUnread(method: string, status: number): boolean {
  return status >= 300 || !WITH_CONTENT.has(method);
}
