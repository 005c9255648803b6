// A line on a terminal that says what is waited for. It is drawn anew a few times a second, and makes way for whatever
// else is written meanwhile: log lines, and what replicas write.

import type { WriteStream } from 'node:tty';
import type { Clock } from '../core/ports.ts';
import type { Paint } from './paint.ts';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
// Some terminals do not say how wide they are.
const UNKNOWN_COLUMNS = 80;
const LINE_END = 0x0a;
const CLEAR = '\r\u001b[2K';

/** Does this stream show lines that are drawn over again? */
export function isDrawable(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && process.env.TERM !== 'dumb';
}

/**
 * Draws the line until the function that it returns is called.
 * @param on where it is drawn. @param others streams of the same terminal.
 * @param text what it says now. It is cut to the width of the terminal.
 */
export function showProgress(
  on: WriteStream,
  others: readonly WriteStream[],
  text: () => string,
  clock: Clock,
  paint: Paint,
): () => void {
  let frame = 0;
  let isDrawn = false;
  // Something else has begun a line and not ended it yet.
  let isTaken = false;
  const write = on.write.bind(on);
  const draw = () => {
    if (isTaken) return;
    const line = ` ${text()}`.slice(0, (on.columns || UNKNOWN_COLUMNS) - 2);
    write(`${CLEAR}${paint('cyan', FRAMES[frame % FRAMES.length] as string)}${line}`);
    isDrawn = true;
  };
  const clear = () => {
    if (isDrawn) write(CLEAR);
    isDrawn = false;
  };
  const giveBack = [on, ...others].map((stream) => makeWay(stream, clear, (isWhole) => (isTaken = !isWhole)));
  const stop = clock.every(FRAME_MS, () => {
    frame += 1;
    draw();
  });
  draw();
  return () => {
    stop();
    for (const restore of giveBack) restore();
    clear();
  };
}

// Whoever writes to a stream does not know of the line, so the stream itself is told to clear it first.
function makeWay(stream: WriteStream, clear: () => void, onWritten: (endsLine: boolean) => void): () => void {
  const write = stream.write;
  const cautious = (...args: Parameters<typeof write>) => {
    clear();
    const last = Buffer.from(args[0] as string).at(-1);
    if (last !== undefined) onWritten(last === LINE_END);
    return write.apply(stream, args);
  };
  stream.write = cautious as typeof write;
  return () => {
    stream.write = write;
  };
}
