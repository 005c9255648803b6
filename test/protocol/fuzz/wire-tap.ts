// Sockets for the fuzzer: a client that sends pieces and collects everything, up to a time limit.

import net from 'node:net';

const LIMIT_MS = 10_000;

export interface Heard {
  readonly text: string;
  readonly ended: 'closed' | 'reset' | 'hung' | 'enough';
}

export interface Line {
  /** Sends the pieces one after the other. */
  send(pieces: readonly string[]): Promise<void>;
  /** Ends the sending side. */
  halfClose(): void;
  /** Resolves when the connection has ended, or when `enough` says so. */
  heard(enough?: (text: string) => boolean): Promise<Heard>;
  readonly open: boolean;
  destroy(): void;
}

export function openLine(port: number): Line {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  let text = '';
  let ended: Heard['ended'] | undefined;
  let onChange = () => {};
  const end = (how: Heard['ended']) => {
    ended ??= how;
    onChange();
  };
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
    onChange();
  });
  socket.on('end', () => end('closed'));
  socket.on('error', () => end('reset'));
  socket.on('close', () => end('closed'));
  return {
    get open() {
      return ended === undefined;
    },
    send: async (pieces) => {
      for (const piece of pieces) {
        socket.write(piece, 'latin1');
        if (pieces.length > 1) await new Promise((resolve) => setImmediate(resolve));
      }
    },
    halfClose: () => void socket.end(),
    destroy: () => void socket.destroy(),
    heard: async (enough = () => false) => {
      const deadline = setTimeout(() => end('hung'), LIMIT_MS);
      while (ended === undefined && !enough(text)) {
        await new Promise<void>((resolve) => {
          onChange = resolve;
        });
      }
      clearTimeout(deadline);
      return { text, ended: ended ?? 'enough' };
    },
  };
}
