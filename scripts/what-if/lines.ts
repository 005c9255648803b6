// Reads the lines of logs as they stream: of files one after the other, of files that gzip has packed, and of standard
// input. Never has more in memory than a piece and a line.

import { createReadStream, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** A line longer than this is broken. */
export const MOST_LINE_BYTES = 2 ** 20;

export interface LogLine {
  /** Where it stands, for people: `access.log:12`. */
  readonly file: string;
  readonly number: number;
  /** Byte by byte (latin1); `undefined` if it is too long. */
  readonly text: string | undefined;
}

/** How far the reading is. */
export interface Reading {
  readBytes: number;
  /** Of all files together; 0 if that is not known. */
  readonly allBytes: number;
}

/** @param files paths; `-` for standard input. Throws if one is not there. */
export function readingOf(files: readonly string[]): Reading {
  const sizes = files.map((file) => (file === '-' ? Number.NaN : statSync(file).size));
  const allBytes = sizes.reduce((sum, size) => sum + size, 0);
  return { readBytes: 0, allBytes: Number.isNaN(allBytes) ? 0 : allBytes };
}

/** Gives each line of all files. @param input standard input. */
export async function eachLine(
  files: readonly string[],
  reading: Reading,
  give: (line: LogLine) => void,
  input: Readable = process.stdin,
): Promise<void> {
  for (const file of files) {
    const raw = file === '-' ? input : createReadStream(file, { highWaterMark: 2 ** 18 });
    const name = file === '-' ? 'standard input' : file;
    const cutter = new Cutter(name, give);
    for await (const bytes of unpacked(raw, reading)) cutter.take(bytes as Buffer);
    cutter.end();
  }
}

// What gzip has packed begins with these two bytes, whatever its name.
async function* unpacked(raw: Readable, reading: Reading): AsyncGenerator<Buffer> {
  const counted = counting(raw, reading);
  const first = await counted.next();
  if (first.done) return;
  const whole = (async function* () {
    yield first.value;
    yield* counted;
  })();
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
    yield* whole;
    return;
  }
  const gunzip = createGunzip();
  const feeding = (async () => {
    for await (const bytes of whole) {
      if (!gunzip.write(bytes)) await new Promise<void>((resolve) => gunzip.once('drain', resolve));
    }
    gunzip.end();
  })().catch((error: Error) => gunzip.destroy(error));
  for await (const bytes of gunzip) yield bytes as Buffer;
  await feeding;
}

async function* counting(raw: Readable, reading: Reading): AsyncGenerator<Buffer> {
  for await (const bytes of raw) {
    reading.readBytes += (bytes as Buffer).length;
    yield bytes as Buffer;
  }
}

class Cutter {
  readonly #file: string;
  readonly #give: (line: LogLine) => void;
  #number = 0;
  #rest = '';
  #isTooLong = false;

  constructor(file: string, give: (line: LogLine) => void) {
    this.#file = file;
    this.#give = give;
  }

  take(bytes: Buffer): void {
    const text = bytes.toString('latin1');
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.#line(this.#rest + text.slice(from, end));
      this.#rest = '';
      from = end + 1;
    }
    this.#rest += text.slice(from);
    if (this.#rest.length <= MOST_LINE_BYTES) return;
    this.#isTooLong = true;
    this.#rest = '';
  }

  end(): void {
    if (this.#rest !== '' || this.#isTooLong) this.#line(this.#rest);
  }

  #line(text: string): void {
    this.#number += 1;
    const isTooLong = this.#isTooLong || text.length > MOST_LINE_BYTES;
    this.#isTooLong = false;
    const line = text.endsWith('\r') ? text.slice(0, -1) : text;
    this.#give({ file: this.#file, number: this.#number, text: isTooLong ? undefined : line });
  }
}
