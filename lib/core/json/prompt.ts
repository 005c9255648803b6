// Finds in the body of a request to a language model what tells which requests begin alike, so that an engine which
// keeps the beginnings it has worked on gets them again. The shapes are those of OpenAI (chat completions, completions,
// responses) and of Anthropic (messages). Pure.

import { MOST_TEXT_BYTES, scan } from './field.ts';
import type { Wanted } from './scanner.ts';

/** Empty texts for what is not there. */
export interface PromptFacts {
  /** What the client itself calls alike: `prompt_cache_key`. */
  readonly cacheKey: string;
  /** `user`, or `metadata.user_id`. */
  readonly user: string;
  /** Model, system text and first message of the user; empty without such a message. */
  readonly beginning: string;
}

// A conversation begins with some words of the system and then the user's. Others come later, if at all.
const MOST_MESSAGES = 32;

/** @param pieces the body, or its beginning. Of each text the first 1,024 bytes count. */
export function promptOf(pieces: readonly Uint8Array[]): PromptFacts {
  const reader = new PromptReader();
  scan(pieces, reader.root, () => reader.cacheKey !== '');
  const { cacheKey, user, model, system, first } = reader;
  const parts = [model, system.text, first.text];
  const beginning = first.text === '' ? '' : parts.map((part) => `${part.length}:${part}`).join('');
  return { cacheKey, user, beginning };
}

class PromptReader {
  cacheKey = '';
  user = '';
  model = '';
  readonly system = new Collected();
  first = new Collected();
  readonly root: Wanted = { mostBytes: 0, member: (name) => this.#member(name) };
  #messages = 0;

  #member(name: string): Wanted | undefined {
    switch (name) {
      case 'prompt_cache_key':
        return text((value) => {
          this.cacheKey = value;
        });
      case 'user':
        return this.#userText;
      case 'metadata':
        return { mostBytes: 0, member: (inner) => (inner === 'user_id' ? this.#userText : undefined) };
      case 'model':
        return text((value) => {
          this.model = value;
        });
      case 'system':
      case 'instructions':
        return this.system.wanted;
      case 'prompt':
        return this.first.wanted;
      case 'messages':
      case 'input':
        return this.#list;
      default:
        return undefined;
    }
  }

  readonly #userText = text((value) => {
    this.user ||= value;
  });

  // The messages, or one text that stands for the user's first.
  readonly #list: Wanted = {
    mostBytes: MOST_TEXT_BYTES,
    scalar: (value) => this.first.add(value),
    item: () => {
      this.#messages += 1;
      return this.first.text !== '' || this.#messages > MOST_MESSAGES ? undefined : this.#message();
    },
  };

  // The role may come before the content or after it.
  #message(): Wanted {
    let role = '';
    const content = new Collected();
    const settle = () => {
      if (role === 'user') this.first = content;
    };
    return {
      mostBytes: MOST_TEXT_BYTES,
      // An entry of a list of texts, as embeddings are asked for.
      scalar: (value) => this.first.add(value),
      member: (name) => {
        if (name === 'content') return content.wanted;
        if (name !== 'role') return undefined;
        return text((value) => {
          role = value;
          settle();
        });
      },
      end: () => {
        settle();
        if (role === 'system' || role === 'developer') this.system.add(content.text);
      },
    };
  }
}

/** Text that comes whole or in parts, up to its limit: `"…"`, `["…"]` or `[{"type": "text", "text": "…"}]`. */
class Collected {
  text = '';

  readonly #part: Wanted = {
    ...text((value) => this.add(value)),
    member: (name) => (name === 'text' ? this.#text : undefined),
  };
  readonly #text = text((value) => this.add(value));

  readonly wanted: Wanted = { ...this.#text, item: () => this.#part };

  // A blank between parts, since [1, 23] is not [12, 3].
  add(value: string): void {
    this.text = `${this.text === '' ? '' : `${this.text} `}${value}`.slice(0, MOST_TEXT_BYTES);
  }
}

function text(scalar: (value: string) => void): Wanted {
  return { mostBytes: MOST_TEXT_BYTES, scalar };
}
