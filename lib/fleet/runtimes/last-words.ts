// The last thing a program wrote before it ended, which is often the reason why its replica does not come up.

// How much of the end of the output is looked at: enough for a stack trace.
const KEPT_CHARACTERS = 8192;
const LONGEST_WORDS = 300;
// Finds the line that says what happened, since a stack trace goes on below it.
const SAYS_WHY = /^\s*(?:\S*(?:error|exception|panic)\b|fatal|uncaught)/i;

/** The end of an output that comes in pieces. */
export class OutputTail {
  #text = '';

  add(piece: string): void {
    this.#text = (this.#text + piece).slice(-KEPT_CHARACTERS);
  }

  /** At most that many lines of it, the last one last; empty lines are left out. */
  lastLines(most: number): readonly string[] {
    return this.#text
      .split(/[\r\n]+/)
      .filter((line) => line.trim() !== '')
      .slice(-most);
  }

  /** The line that gives the reason, or else the last line, without passwords in URLs. Empty if nothing was written. */
  lastWords(): string {
    return this.fault() || asShown(this.lastLines(1).at(0) ?? '');
  }

  /** The line that gives the reason, as `lastWords` has it; empty if there is none. */
  fault(): string {
    return asShown(this.lastLines(Number.POSITIVE_INFINITY).findLast((line) => SAYS_WHY.test(line)) ?? '');
  }
}

function asShown(line: string): string {
  // The attack: a replica writes control characters that a terminal obeys. And a password must not be shown to many.
  const shown = line.replaceAll(/\p{Cc}+/gu, ' ').replaceAll(/(\w:\/\/)[^\s/@]*@/g, '$1…@');
  return shown.trim().slice(0, LONGEST_WORDS);
}

/** How a program ended, together with what it wrote last. */
export function withLastWords(end: string, words: string): string {
  return words === '' ? end : `${end}: ${words}`;
}
