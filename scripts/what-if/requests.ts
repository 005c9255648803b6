// Makes requests for the play of the lines of logs: with their keys, what a cache would have for them, and in the order
// in which they began. Lines that cannot be read are counted, and the first of them are told.

import { writeKeySpec } from '../../lib/core/keys/key-spec.ts';
import type { KeySource } from '../../lib/core/request/key-source.ts';
import { hashText } from '../../lib/core/ring/hashes/text.ts';
import { requestIdAt } from '../../lib/core/ring/request-ids.ts';
import { Reordering } from '../../lib/core/what-if/reordering.ts';
import type { LoggedRequest } from '../../lib/core/what-if/scenario.ts';
import { type KeyReader, keyReader } from '../../lib/proxy/keys/key-reader.ts';
import { detect, type Entry, FORMATS, type Format, missingPart, readEntry } from './formats.ts';
import type { LogLine } from './lines.ts';

export interface RequestSettings {
  /** `undefined`: each file is in the format that its first line has. */
  readonly format: Format | undefined;
  /** `undefined`: what the log says, else the request id. */
  readonly key: readonly KeySource[] | undefined;
  /** What a cache has; `undefined`: what the key stands for, or the target of a request without a key. */
  readonly object: readonly KeySource[] | undefined;
  /** `undefined`: the bytes of the reply. */
  readonly objectBytes: number | undefined;
  /** How long a request lasts where the log does not say. */
  readonly durationMs: number;
}

/** What became of the lines. */
export interface LineCounts {
  lines: number;
  empty: number;
  broken: number;
  /** Requests that no replica had. */
  own: number;
  withoutDuration: number;
  hiddenCookies: number;
}

const TOLD_FAULTS = 5;
const LABEL_LENGTH = 60;

export class Requests {
  readonly counts: LineCounts = { lines: 0, empty: 0, broken: 0, own: 0, withoutDuration: 0, hiddenCookies: 0 };
  /** The first lines that could not be read, and why. */
  readonly faults: string[] = [];
  /** What a reader of the results should know. */
  readonly notes = new Set<string>();
  readonly #settings: RequestSettings;
  readonly #order: Reordering<LoggedRequest>;
  readonly #second: Second;
  readonly #objectOf: KeyReader | undefined;
  #file = '';
  #format: Format | undefined;
  #keyOf: KeyReader | undefined;
  #dealt = 0;

  /** @param give gets the requests in the order in which they began. */
  constructor(settings: RequestSettings, give: (request: LoggedRequest) => void) {
    this.#settings = settings;
    this.#order = new Reordering(give);
    this.#second = new Second((request) => this.#order.take(request));
    this.#objectOf = settings.object === undefined ? undefined : keyReader(settings.object);
  }

  /** How many requests came too late for their place. */
  get late(): number {
    return this.#order.late;
  }

  /** Throws if the log cannot have the key that is asked for. */
  take({ file, number, text }: LogLine): void {
    this.counts.lines += 1;
    if (text !== undefined && text.trim() === '') {
      this.counts.empty += 1;
      return;
    }
    const entry = this.#read(file, number, text);
    if (entry === undefined) return;
    if (entry.hidesCookie) this.counts.hiddenCookies += 1;
    if (entry.isOwn) this.counts.own += 1;
    else this.#play(entry);
  }

  end(): void {
    this.#second.end();
    this.#order.end();
  }

  #read(file: string, number: number, text: string | undefined): Entry | undefined {
    if (file !== this.#file) {
      this.#file = file;
      this.#format = this.#settings.format;
      if (this.#format !== undefined) this.#begin(this.#format);
    }
    if (text === undefined) return this.#broken(file, number, 'is longer than 1 MiB');
    if (this.#format === undefined) {
      this.#format = detect(text);
      if (this.#format === undefined)
        return this.#broken(file, number, `is in none of the forms ${FORMATS.join(', ')}`);
      this.#begin(this.#format);
    }
    try {
      return readEntry(this.#format, text);
    } catch (error) {
      return this.#broken(file, number, (error as Error).message);
    }
  }

  #broken(file: string, number: number, why: string): undefined {
    this.counts.broken += 1;
    if (this.faults.length < TOLD_FAULTS) this.faults.push(`${file}:${number}: ${why}`);
  }

  // Which key lines of that format can give.
  #begin(format: Format): void {
    const { key, object } = this.#settings;
    const noObject = object === undefined ? undefined : missingPart(format, object);
    if (noObject !== undefined) throw new Error(`--object: lines of ${format} do not have ${writeKeySpec([noObject])}`);
    const missing = key === undefined ? undefined : missingPart(format, key);
    if (missing !== undefined && format !== 'ringmaster') {
      throw new Error(`--key: lines of ${format} do not have ${writeKeySpec([missing])}`);
    }
    if (missing !== undefined) {
      this.notes.add(
        `${writeKeySpec([missing])} is not in a ringmaster log, which has the key that each request was hashed by: that is used`,
      );
    }
    this.#keyOf = key === undefined || missing !== undefined ? undefined : keyReader(key);
  }

  #play(entry: Entry): void {
    const { durationMs, objectBytes } = this.#settings;
    if (entry.tookMs === undefined) this.counts.withoutDuration += 1;
    const tookMs = entry.tookMs ?? durationMs;
    const startMs = entry.isStart ? entry.atMs : entry.atMs - tookMs;
    const { key, isKeyed } = this.#keyOfEntry(entry);
    const object = this.#objectOf?.(entry.request, entry.client).key;
    const request: LoggedRequest = {
      ...{ startMs, endMs: startMs + tookMs, key, isKeyed },
      object: object ?? (isKeyed ? key : hashText(entry.request.url)),
      sizeBytes: objectBytes ?? Math.max(1, entry.sentBytes),
      seat: entry.seat,
      label: entry.request.url.slice(0, LABEL_LENGTH),
    };
    if (entry.isStart) this.#second.take(request);
    else this.#order.take(request);
  }

  #keyOfEntry(entry: Entry): { readonly key: number; readonly isKeyed: boolean } {
    if (this.#keyOf !== undefined) {
      const { key } = this.#keyOf(entry.request, entry.client);
      if (key !== undefined) return { key, isKeyed: true };
      // A logged id is as good as any.
      return { key: entry.requestId ?? requestIdAt(0, this.#dealt++), isKeyed: false };
    }
    if (entry.key === undefined) return { key: requestIdAt(0, this.#dealt++), isKeyed: false };
    return { key: entry.key, isKeyed: entry.key !== entry.requestId };
  }
}

const MOST_IN_SECOND = 100_000;

// A log that tells whole seconds has many requests at once, and then none: they are spread evenly over their second, in
// their order.
class Second {
  readonly #give: (request: LoggedRequest) => void;
  #kept: LoggedRequest[] = [];

  constructor(give: (request: LoggedRequest) => void) {
    this.#give = give;
  }

  take(request: LoggedRequest): void {
    const [first] = this.#kept;
    if (first !== undefined && (first.startMs !== request.startMs || this.#kept.length === MOST_IN_SECOND)) this.end();
    this.#kept.push(request);
  }

  end(): void {
    const kept = this.#kept;
    this.#kept = [];
    for (const [at, request] of kept.entries()) {
      const laterMs = (1000 * at) / kept.length;
      this.#give({ ...request, startMs: request.startMs + laterMs, endMs: request.endMs + laterMs });
    }
  }
}
