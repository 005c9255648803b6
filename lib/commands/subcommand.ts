// A word before all flags that has the program do something beside balancing.

export interface Subcommand {
  /** What may follow the word, as the help shows it. */
  readonly usage: string;
  /** What it does, for the help. */
  readonly help: string;
  /**
   * Resolves with the exit code. Throws OptionError, which is exit code 2, for words that it does not take.
   * @param args what follows the word on the command line.
   */
  run(args: readonly string[]): Promise<number>;
}
