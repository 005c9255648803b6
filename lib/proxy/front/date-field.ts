// The value of a Date field for now. Kept for a second, since the field has no finer grain, and making it costs as much as all else
// that is done to a reply's head.

export class DateField {
  #value = '';

  /** Of now. */
  value(): string {
    if (this.#value === '') {
      const now = new Date();
      this.#value = now.toUTCString();
      setTimeout(() => {
        this.#value = '';
      }, 1000 - now.getMilliseconds()).unref();
    }
    return this.#value;
  }
}
