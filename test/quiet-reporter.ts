// What tap says where nobody watches, as in CI: each failure with all that is known of it, in TAP as tap has it, how
// far the run is, why tests were skipped, and the totals. What passed is left out. None of tap's reporters does that:
// `min` shows nothing before the end, which a run that is broken off does not reach, and others draw on a terminal.

import { Transform, type TransformCallback } from 'node:stream';

const PROGRESS_FILES = 20;
const PROGRESS_MS = 60_000;
/** How many lines are kept of what a file prints last beside its tests, in case it fails. */
const MOST_NOISE = 500;

const RESULT = /^( *)(not )?ok \d+(?: - (.*?))?(?: # (?:time=.*|(SKIP|TODO) ?(.*)))?( \{)?$/i;
const SUBTEST = /^( *)# Subtest: (.*)$/;
/** Lines of TAP that say nothing to whoever looks for a failure. */
const PLAIN = /^ *(?:\d+\.\.\d+.*|TAP version \d+|# (?:time=.*|\{ total: .*)|\})?$/;

export default class QuietReporter extends Transform {
  readonly #startedMs = Date.now();
  #saidMs = Date.now();
  #rest = '';
  #files = 0;
  #failedFiles = 0;
  #planned = '';
  /** Names of the tests that are under way, from the file on. */
  readonly #names: string[] = [];
  /** How deep the failure was that was shown last: a result that is less deep is that of a test that it was part of. */
  #shownDepth = 0;
  #noise: string[] = [];
  /** How the block of diagnostics ends that is under way, and whether it is shown. */
  #block: { readonly end: string; readonly isShown: boolean } | undefined;
  /** Whether diagnostics that come next are those of a failure that is shown. */
  #isShown = false;
  readonly #skips = new Map<string, number>();
  #totals = '';

  override _transform(bytes: Buffer | string, _encoding: string, done: TransformCallback): void {
    const lines = (this.#rest + bytes).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#rest !== '') this.#take(this.#rest);
    for (const [reason, count] of this.#skips) this.#say(`# skipped ${count}: ${reason}`);
    if (this.#totals !== '') {
      const count = (name: string) => new RegExp(`${name}: (\\d+)`).exec(this.#totals)?.[1] ?? '0';
      this.#say(`${count('pass')} passed, ${count('fail')} failed`);
    }
    done();
  }

  #say(line: string): void {
    this.push(`${line}\n`);
  }

  #take(line: string): void {
    if (this.#block !== undefined) {
      if (this.#block.isShown) this.#say(line);
      if (line === this.#block.end) this.#block = undefined;
      return;
    }
    const [, indent] = /^( *) {2}---$/.exec(line) ?? [];
    if (indent !== undefined) {
      if (this.#isShown) this.#say(line);
      this.#block = { end: `${indent}  ...`, isShown: this.#isShown };
      return;
    }
    const subtest = SUBTEST.exec(line);
    const result = RESULT.exec(line);
    if (subtest !== null) this.#begin(depthOf(subtest[1]), subtest[2] ?? '');
    else if (result !== null) this.#end(line, result);
    else this.#takeOther(line);
  }

  #takeOther(line: string): void {
    if (/^1\.\.\d+/.test(line)) this.#planned = ` of ${line.slice('1..'.length)}`;
    if (line.startsWith('# { total')) this.#totals = line;
    if (/^(# (\{ total|time=)| *Bail out!)/.test(line)) this.#say(line);
    else if (!PLAIN.test(line)) this.#noise.push(line);
    if (this.#noise.length > MOST_NOISE) this.#noise.shift();
  }

  #begin(depth: number, name: string): void {
    this.#names.length = depth;
    this.#names.push(name);
    this.#shownDepth = Math.min(this.#shownDepth, depth);
  }

  #end(line: string, [, indent, failed, name = '', why, reason, hasBrace]: RegExpExecArray): void {
    const depth = depthOf(indent);
    const hasFailed = failed !== undefined && why === undefined;
    if (why?.toUpperCase() === 'SKIP') this.#skips.set(reason || name, (this.#skips.get(reason || name) ?? 0) + 1);
    // What a test says of itself after its own failures adds nothing; but a file may have ended by a signal.
    this.#isShown = hasFailed && (depth === 0 || this.#shownDepth <= depth);
    if (this.#isShown) {
      if (depth > 0) this.#say(`# ${this.#names.slice(0, depth).join(' > ')}`);
      this.#say(line);
    }
    if (hasFailed || depth < this.#shownDepth) this.#shownDepth = depth;
    if (hasBrace !== undefined) this.#begin(depth, name);
    if (depth === 0) this.#endFile(hasFailed);
  }

  #endFile(hasFailed: boolean): void {
    this.#files += 1;
    this.#names.length = 0;
    this.#shownDepth = 0;
    if (hasFailed) {
      this.#failedFiles += 1;
      for (const line of this.#noise) this.#say(line.trimStart().startsWith('#') ? line.trim() : `# ${line}`);
    }
    this.#noise = [];
    const now = Date.now();
    if (this.#files % PROGRESS_FILES !== 0 && now - this.#saidMs < PROGRESS_MS) return;
    this.#saidMs = now;
    const minutes = ((now - this.#startedMs) / 60_000).toFixed(1);
    const failures = this.#failedFiles === 0 ? '' : `, ${this.#failedFiles} failed`;
    this.#say(`# ${this.#files}${this.#planned} files after ${minutes} min${failures}`);
  }
}

const depthOf = (indent = ''): number => Math.floor(indent.length / 4);
