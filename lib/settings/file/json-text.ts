// Reads JSON with comments and trailing commas, and keeps where each value stands, so that a mistake in its meaning can
// be told with its place. Anything else that RFC 8259 does not allow is refused, names that come twice included. Pure.

/** Where something stands in a text. Both begin at 1; columns count UTF-16 units, as most editors do. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A value of a JSON text. */
export type JsonNode =
  | { readonly type: 'object'; readonly at: Place; readonly members: readonly JsonMember[] }
  | { readonly type: 'array'; readonly at: Place; readonly items: readonly JsonNode[] }
  | { readonly type: 'scalar'; readonly at: Place; readonly value: string | number | boolean | null };

export interface JsonMember {
  readonly name: string;
  /** Where the name stands. */
  readonly at: Place;
  readonly value: JsonNode;
}

/** What is wrong with a text that is not JSON, and where. */
export class JsonTextError extends Error {
  override readonly name = 'JsonTextError';
  readonly at: Place;

  constructor(message: string, at: Place) {
    super(message);
    this.at = at;
  }
}

// Deeper than any file of settings, and far from the end of the stack.
const MOST_DEPTH = 64;

const SPACES = /[ \t\r\n]*/y;
const LINE_COMMENT = /\/\/[^\r\n]*/y;
const BLOCK_COMMENT = /\/\*[\s\S]*?\*\//y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[\w$.+-]+/y;
// Up to the end of the line at most, since a line end must be written as \n.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a text may not have
const TEXT = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;

const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);

/** Throws JsonTextError with the first mistake. A byte order mark at the start is passed over. */
export function parseJsonText(text: string): JsonNode {
  const reader = new Reader(text);
  const node = reader.value(0);
  reader.end();
  return node;
}

class Reader {
  readonly #text: string;
  #at: number;
  // Of the last place that was asked for: the number of its line, where that begins, and where it ends.
  #line = 1;
  #lineStart: number;
  #lineEnd: number;

  constructor(text: string) {
    this.#text = text;
    this.#at = text.startsWith('\ufeff') ? 1 : 0;
    this.#lineStart = this.#at;
    this.#lineEnd = this.#endAfter(this.#at);
  }

  value(depth: number): JsonNode {
    this.#skip();
    const at = this.#place();
    if (depth > MOST_DEPTH) throw new JsonTextError(`it is nested more than ${MOST_DEPTH} deep`, at);
    switch (this.#text[this.#at]) {
      case '{':
        return { type: 'object', at, members: this.#members(depth) };
      case '[':
        return { type: 'array', at, items: this.#items(depth) };
      case '"':
        return { type: 'scalar', at, value: this.#string() };
      default:
        return { type: 'scalar', at, value: this.#scalar() };
    }
  }

  /** Only comments may follow. */
  end(): void {
    this.#skip();
    if (this.#at < this.#text.length) throw this.#unexpected('the end of the file');
  }

  #members(depth: number): JsonMember[] {
    const members: JsonMember[] = [];
    const names = new Map<string, Place>();
    this.#list('}', () => {
      const at = this.#place();
      if (this.#text[this.#at] !== '"') throw this.#unexpected('a name in double quotes, or }');
      const name = this.#string();
      const first = names.get(name);
      if (first !== undefined) {
        throw new JsonTextError(`${JSON.stringify(name)} is there twice, first at ${first.line}:${first.column}`, at);
      }
      names.set(name, at);
      this.#skip();
      if (!this.#takes(':')) throw this.#unexpected(`a colon after ${JSON.stringify(name)}`);
      members.push({ name, at, value: this.value(depth + 1) });
    });
    return members;
  }

  #items(depth: number): JsonNode[] {
    const items: JsonNode[] = [];
    this.#list(']', () => items.push(this.value(depth + 1)));
    return items;
  }

  // What stands between an opening and a closing bracket, with commas between; one more may be behind the last.
  #list(closing: string, readOne: () => void): void {
    this.#at += 1;
    for (;;) {
      this.#skip();
      if (this.#takes(closing)) return;
      readOne();
      this.#skip();
      if (this.#takes(closing)) return;
      if (!this.#takes(',')) throw this.#unexpected(`a comma or ${closing}`);
    }
  }

  #string(): string {
    const written = this.#match(TEXT);
    if (written === undefined) {
      const rest = this.#text.slice(this.#at).split(/[\r\n]/, 1)[0] ?? '';
      const isOpen = /^"(?:[^"\\]|\\.)*$/.test(rest);
      const what = isOpen
        ? 'it has no closing quote on its line'
        : 'it has a control character, or an unknown \\ escape';
      throw new JsonTextError(`this text cannot be read: ${what}`, this.#place());
    }
    return JSON.parse(written);
  }

  #scalar(): number | boolean | null {
    const start = this.#at;
    const number = this.#match(NUMBER);
    this.#at = start;
    const word = this.#match(WORD);
    if (number !== undefined && number === word) return Number(number);
    const known = word === undefined ? undefined : WORDS.get(word);
    if (known !== undefined) return known;
    this.#at = start;
    throw this.#unexpected('a value');
  }

  // Spaces and comments.
  #skip(): void {
    for (;;) {
      this.#match(SPACES);
      if (this.#text[this.#at] !== '/') return;
      if (this.#match(LINE_COMMENT) !== undefined || this.#match(BLOCK_COMMENT) !== undefined) continue;
      if (this.#text[this.#at + 1] === '*') throw new JsonTextError('this comment has no end', this.#place());
      return;
    }
  }

  #takes(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #unexpected(wanted: string): JsonTextError {
    const at = this.#place();
    const start = this.#at;
    const found = this.#match(WORD) ?? this.#text[start];
    return new JsonTextError(
      found === undefined ? `the file ends where ${wanted} should be` : `here should be ${wanted}, not ${found}`,
      at,
    );
  }

  // The place of what is read next. Places are asked for in the order of the text, so each line is counted once.
  #place(): Place {
    while (this.#lineEnd < this.#at) {
      this.#line += 1;
      this.#lineStart = this.#lineEnd + 1;
      this.#lineEnd = this.#endAfter(this.#lineStart);
    }
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #endAfter(start: number): number {
    const end = this.#text.indexOf('\n', start);
    return end === -1 ? this.#text.length : end;
  }
}
