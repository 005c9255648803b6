// How far back an object was used last, in bytes of the objects that were used since: its stack distance. A cache that
// drops what was used longest ago (LRU) still has the object exactly if it has room for that much, so one pass tells
// the hits of every size. Source: Mattson, Gecsei, Slutz, Traiger, "Evaluation Techniques for Storage Hierarchies",
// IBM Systems Journal 9(2), 1970; in logarithmic time by a Fenwick tree over the times of last use (Fenwick, "A New
// Data Structure for Cumulative Frequency Tables", 1994).

const LEAST_PLACES = 64;

export class LruStack {
  // Where each object stands, by its number as 32 bits with a sign: V8 keeps those in place.
  readonly #places = new Map<number, number>();
  // The object and its size at each place, and none where the size is 0. Later places were used later.
  #objects = new Int32Array(LEAST_PLACES);
  #sizes = new Float64Array(LEAST_PLACES);
  #tree = new Float64Array(LEAST_PLACES + 1);
  #next = 0;
  #bytes = 0;
  #squares = 0;

  /** How many objects it knows. */
  get entries(): number {
    return this.#places.size;
  }

  /**
   * Mean size of an object, weighted by size: what one more or less in the sample makes of a cache. 0 if it is empty.
   */
  get meanWeightedSize(): number {
    return this.#bytes === 0 ? 0 : this.#squares / this.#bytes;
  }

  /**
   * An object is used. Gives the bytes that a cache must have to have it still, itself included; `undefined` if it was
   * not used before.
   * @param object a number of 32 bits. @param size a whole number from 1. If it was larger before, that counts.
   */
  touch(object: number, size: number): number | undefined {
    const place = this.#places.get(object | 0);
    if (place === undefined) {
      this.#put(object | 0, size);
      return undefined;
    }
    const before = this.#sizes[place] as number;
    const since = this.#bytes - this.#upTo(place);
    const larger = Math.max(size, before);
    this.#add(place, -before);
    this.#put(object | 0, larger);
    return since + larger;
  }

  /** Forgets all others. */
  keep(isKept: (object: number) => boolean): void {
    for (const [object, place] of this.#places) {
      if (isKept(object >>> 0)) continue;
      this.#places.delete(object);
      this.#sizes[place] = 0;
    }
    this.#compact();
  }

  #put(object: number, size: number): void {
    if (this.#next === this.#sizes.length) this.#compact();
    this.#places.set(object, this.#next);
    this.#objects[this.#next] = object;
    this.#add(this.#next, size);
    this.#next += 1;
  }

  // Moves all to the beginning, in their order, and leaves as many places free as are used.
  #compact(): void {
    const { length } = this.#sizes;
    const [objects, sizes] = [this.#objects, this.#sizes];
    const capacity = Math.max(LEAST_PLACES, 2 * this.#places.size + 2);
    this.#objects = new Int32Array(capacity);
    this.#sizes = new Float64Array(capacity);
    this.#tree = new Float64Array(capacity + 1);
    this.#next = this.#bytes = this.#squares = 0;
    for (let place = 0; place < length; place++) {
      const size = sizes[place] as number;
      if (size > 0) this.#put(objects[place] as number, size);
    }
  }

  #add(place: number, size: number): void {
    const tree = this.#tree;
    this.#sizes[place] = (this.#sizes[place] as number) + size;
    this.#bytes += size;
    this.#squares += Math.sign(size) * size * size;
    for (let at = place + 1; at < tree.length; at += at & -at) tree[at] = (tree[at] as number) + size;
  }

  // The bytes of all places up to that one, itself included.
  #upTo(place: number): number {
    let sum = 0;
    for (let at = place + 1; at > 0; at -= at & -at) sum += this.#tree[at] as number;
    return sum;
  }
}
