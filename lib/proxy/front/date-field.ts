// The current value of a Date field. It is kept for a second, since the field has no finer grain and making it costs as
// much as all the rest of a reply's head.

export class DateField {
  #value = '';

  /** The value for the current second. */
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
