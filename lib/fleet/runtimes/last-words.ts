// What a program wrote last before it ended: mostly the reason why, for a person who reads of a replica that does not come up.

// Of what is written, so much is looked at; it holds a stack trace.
const KEPT_CHARACTERS = 4096;
const LONGEST_WORDS = 300;
// Traces go on below the line that says what happened.
const SAYS_WHY = /^\s*(?:\S*(?:error|exception|panic)\b|fatal|uncaught)/i;

/** The end of an output that comes in pieces. */
export class OutputTail {
  #text = '';

  add(piece: string): void {
    this.#text = (this.#text + piece).slice(-KEPT_CHARACTERS);
  }

  /** The line that says why, or else the last one, with no secret of a URL in it. Empty if nothing was written. */
  lastWords(): string {
    const lines = this.#text.split(/[\r\n]+/).filter((line) => line.trim() !== '');
    const line = lines.findLast((one) => SAYS_WHY.test(one)) ?? lines.at(-1) ?? '';
    // The attack: a replica that writes what a terminal takes for commands. And what is shown to many must not hold a password.
    const shown = line.replaceAll(/\p{Cc}+/gu, ' ').replaceAll(/(\w:\/\/)[^\s/@]*@/g, '$1…@');
    return shown.trim().slice(0, LONGEST_WORDS);
  }
}

/** How it ended, and what it said. */
export function withLastWords(end: string, words: string): string {
  return words === '' ? end : `${end}: ${words}`;
}
