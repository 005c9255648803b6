// Gives `http.Server` one request with a body, and nothing after it. The request offers to switch protocols, so the
// bytes after it may be in another protocol; they wait in the socket until the replica has switched. Node's parser
// still reads the body; it only gets it in pieces that cannot go beyond its end.

import type { Socket } from 'node:net';

/** `broken`: the rest of the request is not wanted any more. */
export type Progress = 'reading' | 'whole' | 'broken';

type DataSocket = Socket & { readonly _paused?: boolean };

/**
 * Call it when `http.Server` has the connection, before it has read from it.
 * @param head of the request.
 * @param lengthBytes size of its body; Infinity if it is chunked.
 * @param progress says how far the request has come.
 */
export function giveOneRequest(socket: DataSocket, head: Buffer, lengthBytes: number, progress: () => Progress): void {
  const [give] = socket.listeners('data') as ((bytes: Buffer) => void)[];
  if (give === undefined) return;
  let leftBytes = lengthBytes;
  let line = '';
  const take = (bytes: Buffer) => {
    let from = 0;
    // Stops when `http.Server` has paused the connection: it would not take any bytes.
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

// A chunked body ends with an empty line, so a piece that ends with the first empty line cannot go beyond the body.
function endOfPiece(bytes: Buffer, from: number, before: string): number {
  // The empty line may have begun in the piece before.
  const begun = before + bytes.toString('latin1', from, from + 3);
  const early = begun.indexOf(EMPTY_LINE);
  if (early !== -1) return from + early + EMPTY_LINE.length - before.length;
  const at = bytes.indexOf(EMPTY_LINE, from, 'latin1');
  return at === -1 ? bytes.length : at + EMPTY_LINE.length;
}

const EMPTY_LINE = '\r\n\r\n';
