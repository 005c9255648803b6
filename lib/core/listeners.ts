// Whoever wants to be told of news, and is told.

export class Listeners<News> {
  readonly #all = new Set<(news: News) => void>();

  /** Returns the function that ends the watch. */
  readonly watch = (listener: (news: News) => void): (() => void) => {
    this.#all.add(listener);
    return () => this.#all.delete(listener);
  };

  readonly tell = (news: News): void => {
    for (const listener of this.#all) listener(news);
  };
}
