// What an engine for language models keeps of the prompts it has worked on: blocks of a fixed size, each named by its
// own text and all that is before it, so that prompts which begin alike share them. Pure. Source: "Automatic Prefix
// Caching", the design notes of vLLM (docs/design/prefix_caching.md).

/** A cache of so many blocks, of which the least recently used one goes first. */
export class PrefixCache {
  // In the order of use, the latest last.
  readonly #blocks = new Set<number>();
  readonly #blockBytes: number;
  readonly #mostBlocks: number;

  /** @param bytes what it can hold, in whole blocks. */
  constructor(bytes: number, blockBytes = 64) {
    this.#blockBytes = blockBytes;
    this.#mostBlocks = Math.floor(bytes / blockBytes);
  }

  /** How many bytes of the prompt's beginning are there, in whole blocks. They count as used. */
  find(prompt: Uint8Array): number {
    const names = blockNames(prompt, this.#blockBytes);
    const missing = names.findIndex((name) => !this.#blocks.has(name));
    const found = missing === -1 ? names : names.slice(0, missing);
    this.#use(found);
    return found.length * this.#blockBytes;
  }

  /** Takes the whole blocks of a prompt in, and drops what was used least recently if there are too many. */
  keep(prompt: Uint8Array): void {
    this.#use(blockNames(prompt, this.#blockBytes).slice(0, this.#mostBlocks));
    for (const oldest of this.#blocks) {
      if (this.#blocks.size <= this.#mostBlocks) return;
      this.#blocks.delete(oldest);
    }
  }

  // The first block last, so that of one prompt the end goes before the beginning, without which it is of no use.
  #use(names: readonly number[]): void {
    for (const name of names.toReversed()) {
      this.#blocks.delete(name);
      this.#blocks.add(name);
    }
  }
}

/** A number of 53 bits for each whole block, of all bytes up to its end: two hashes in the manner of FNV-1a. */
function blockNames(prompt: Uint8Array, blockBytes: number): number[] {
  const names: number[] = [];
  let [low, high] = [0x811c9dc5, 0x9e3779b9];
  for (let at = 0; at < prompt.length; at++) {
    const byte = prompt[at] as number;
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high ^ byte ^ (low >>> 15), 0x85ebca6b);
    if ((at + 1) % blockBytes === 0) names.push((high >>> 11) * 2 ** 32 + (low >>> 0));
  }
  return names;
}
