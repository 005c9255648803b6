// One request with a body, given to `http.Server` without what is behind it: the request offers to switch protocols, so that may be
// in another one, and waits in the socket until the replica has switched. Bodies are still read by one parser alone; here it is
// only given them in pieces that cannot go beyond the end.

import type { Socket } from 'node:net';

/** `broken`: nothing of it is wanted any more. */
export type Progress = 'reading' | 'whole' | 'broken';

type DataSocket = Socket & { readonly _paused?: boolean };

/**
 * To be called when `http.Server` has the connection, before it has read from it.
 * @param head of the request. @param lengthBytes of its body; Infinity if it is chunked. @param progress how far it has come.
 */
export function giveOneRequest(socket: DataSocket, head: Buffer, lengthBytes: number, progress: () => Progress): void {
  const [give] = socket.listeners('data') as ((bytes: Buffer) => void)[];
  if (give === undefined) return;
  let leftBytes = lengthBytes;
  let line = '';
  const take = (bytes: Buffer) => {
    let from = 0;
    // `http.Server` takes nothing while it has paused the connection itself.
    while (from < bytes.length && progress() === 'reading' && socket._paused !== true) {
      const to = lengthBytes === Number.POSITIVE_INFINITY ? endOfPiece(bytes, from, line) : from + leftBytes;
      const piece = bytes.subarray(from, to);
      from += piece.length;
      leftBytes -= piece.length;
      line = (line + piece.toString('latin1', piece.length - 3)).slice(-3);
      give(piece);
    }
    if (from === bytes.length || progress() === 'broken') return;
    socket.pause();
    socket.unshift(bytes.subarray(from));
  };
  socket.off('data', give);
  socket.on('data', take);
  give(head);
}

// A chunked body ends with an empty line, so a piece that ends with the first of those cannot go beyond it.
function endOfPiece(bytes: Buffer, from: number, before: string): number {
  // That line may have begun in what came before.
  const begun = before + bytes.toString('latin1', from, from + 3);
  const early = begun.indexOf(EMPTY_LINE);
  if (early !== -1) return from + early + EMPTY_LINE.length - before.length;
  const at = bytes.indexOf(EMPTY_LINE, from, 'latin1');
  return at === -1 ? bytes.length : at + EMPTY_LINE.length;
}

const EMPTY_LINE = '\r\n\r\n';
