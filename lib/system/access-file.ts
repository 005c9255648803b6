// Writes the access log: to a file, a pipe or standard output, never waited for by a request. What cannot be written is
// dropped and counted. The file can be opened anew, or exchanged for another, at any time.

import { close, constants, open, stat, write } from 'node:fs';
import { promisify } from 'node:util';
import type { LineBatch, TakeBatch } from '../core/plane-ports.ts';
import type { Clock } from '../core/ports.ts';
import { BalancerError, describe } from '../errors.ts';
import type { Log } from '../log.ts';

/** What is written to. */
interface Target {
  readonly path: string;
  readonly fd: number;
  /** The last line there has no end. */
  isTorn: boolean;
  isBroken: boolean;
}

const STDOUT = '-';
// Owner and group: targets hold what is nobody else's business.
const MODE = 0o640;
const LF = 0x0a;
// Between two attempts to write to a pipe that is full.
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;
const TELL_MS = 10_000;
// For what is left at the end.
const LONGEST_CLOSE_MS = 2000;
const CLOSE_TURN_MS = 100;

const files = { open: promisify(open), close: promisify(close), stat: promisify(stat), write: promisify(write) };

export class AccessFile {
  /** How many lines were lost so far. */
  dropped = 0;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #waiting: { readonly batch: LineBatch; readonly onTaken: (memory: ArrayBuffer) => void }[] = [];
  #target: Target | undefined;
  // What is being written to, perhaps after another took its place.
  #writingTo: Target | undefined;
  #writing: Promise<void> | undefined;
  // Ends a pause before its time.
  #hurry = new AbortController();
  #isClosing = false;
  #untold = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  /** Has no effect until `use` is called. */
  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Takes lines of a data plane. What waits here has no bound of its own: each plane keeps one. */
  readonly take: TakeBatch = (batch, onTaken) => {
    this.#lose(batch.dropped);
    this.#waiting.push({ batch, onTaken });
    this.#writing ??= this.#write();
  };

  /**
   * Writes there from now on. Rejects with `log-failed` if that cannot be opened, and goes on as before.
   * @param path of a file, which is made if it is not there, or of a pipe; `-`: standard output; `undefined`: nowhere.
   */
  async use(path: string | undefined): Promise<void> {
    if (path === this.#target?.path) return;
    this.#replace(path === undefined ? undefined : await openTarget(path));
  }

  /** Opens the file anew: it was renamed. If that fails, the old one is written on, and the log says so. */
  async reopen(): Promise<void> {
    const { path } = this.#target ?? {};
    if (path === undefined || path === STDOUT) return;
    try {
      const opened = await openTarget(path);
      this.#replace(opened);
      this.#log.info('access-log-reopened', { file: path });
    } catch (error) {
      this.#log.error('access-log-failed', { file: path, reason: describe(error) });
    }
  }

  /** Writes what is left, if that does not take too long. Nothing may come after it. */
  async close(): Promise<void> {
    const written = new AbortController();
    const late = this.#clock.sleep(LONGEST_CLOSE_MS, written.signal).then(() => {
      this.#isClosing = true;
      this.#hurry.abort();
      // One more turn to count what is lost. A disk that hangs is not waited for.
      return this.#clock.sleep(CLOSE_TURN_MS, written.signal);
    });
    await Promise.race([this.#writing, late]);
    written.abort();
    late.catch(() => undefined);
    this.#toldMs = Number.NEGATIVE_INFINITY;
    this.#tell();
    this.#replace(undefined);
  }

  #replace(next: Target | undefined): void {
    const last = this.#target;
    this.#target = next;
    this.#hurry.abort();
    if (last !== undefined && last !== this.#writingTo) closeTarget(last);
  }

  async #write(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#writeBatch(next.batch.bytes);
      next.onTaken(next.batch.bytes.buffer);
      this.#tell();
    }
    this.#writing = undefined;
  }

  async #writeBatch(lines: Uint8Array<ArrayBuffer>): Promise<void> {
    // The last line before these was cut short: it must not become one with the first of them.
    const wasTorn = this.#target?.isTorn === true;
    const bytes = wasTorn ? Buffer.concat([Buffer.of(LF), lines]) : Buffer.from(lines.buffer, 0, lines.length);
    const at = await this.#writeAll(bytes);
    if (at > 0 && this.#target !== undefined) this.#target.isTorn = bytes[at - 1] !== LF;
    this.#lose(countLines(bytes, Math.max(at, wasTorn ? 1 : 0)));
  }

  // Returns how many of the bytes were written: less than there are if no more can be.
  async #writeAll(bytes: Buffer): Promise<number> {
    let at = 0;
    let pauseMs = FIRST_PAUSE_MS;
    while (at < bytes.length) {
      const target = this.#target;
      if (target === undefined) break;
      try {
        at += await this.#writeSome(target, bytes, at);
        target.isBroken = false;
        pauseMs = FIRST_PAUSE_MS;
      } catch (error) {
        const isFull = (error as NodeJS.ErrnoException).code === 'EAGAIN';
        if (!isFull) this.#fail(target, error);
        if (!isFull || this.#isClosing) break;
        await this.#pause(pauseMs);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
      // A line that was begun in a file that has been exchanged is written whole in the next one.
      if (this.#target !== target && at > 0) at = bytes.lastIndexOf(LF, at - 1) + 1;
    }
    return at;
  }

  async #writeSome(target: Target, bytes: Buffer, from: number): Promise<number> {
    this.#writingTo = target;
    try {
      const { bytesWritten } = await files.write(target.fd, bytes, from);
      return bytesWritten;
    } finally {
      this.#writingTo = undefined;
      if (this.#target !== target) closeTarget(target);
    }
  }

  async #pause(ms: number): Promise<void> {
    this.#hurry = new AbortController();
    await this.#clock.sleep(ms, this.#hurry.signal).catch(() => undefined);
  }

  // Once until it is written to again: a disk that is full would fill the log, which may be on it too.
  #fail(target: Target, error: unknown): void {
    if (!target.isBroken) this.#log.error('access-log-failed', { file: target.path, reason: describe(error) });
    target.isBroken = true;
  }

  #lose(lines: number): void {
    this.dropped += lines;
    this.#untold += lines;
    this.#tell();
  }

  #tell(): void {
    const nowMs = this.#clock.now();
    if (this.#untold === 0 || nowMs - this.#toldMs < TELL_MS) return;
    this.#log.error('log-lines-dropped', { count: this.#untold, file: this.#target?.path });
    this.#untold = 0;
    this.#toldMs = nowMs;
  }
}

// Without O_NONBLOCK, a pipe that nobody reads would hold one of the few threads that the process has for files.
async function openTarget(path: string): Promise<Target> {
  try {
    // Until Node has made a stream of it, a pipe there makes whoever writes wait.
    if (path === STDOUT) return targetOf(path, process.stdout.fd);
    const isPipe = (await files.stat(path).catch(() => undefined))?.isFIFO() === true;
    const { O_RDWR, O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
    // For writing alone a FIFO needs a reader at this moment, and what is in it is lost when the last one goes.
    const flags = isPipe ? O_RDWR : O_WRONLY | O_APPEND | O_CREAT;
    return targetOf(path, await files.open(path, flags | O_NONBLOCK, MODE));
  } catch (error) {
    throw new BalancerError('log-failed', `--access-log-file cannot be opened: ${describe(error)}`, { cause: error });
  }
}

function targetOf(path: string, fd: number): Target {
  return { path, fd, isTorn: false, isBroken: false };
}

// What a file system says only when a file is closed has nobody left to be told to.
function closeTarget({ path, fd }: Target): void {
  if (path !== STDOUT) files.close(fd).catch(() => undefined);
}

function countLines(bytes: Buffer, from: number): number {
  let lines = 0;
  for (let at = bytes.indexOf(LF, from); at !== -1; at = bytes.indexOf(LF, at + 1)) lines += 1;
  return lines;
}
