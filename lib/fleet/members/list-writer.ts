// Writes the list of members that other balancers follow (`--role controller`), whenever the fleet has changed. The
// file is written beside and renamed, so that nobody ever reads half of it.

import { readFile, rename, writeFile } from 'node:fs/promises';
import type { FleetState } from '../../core/fleet/fleet-state.ts';
import { membersOf, writeMemberList } from '../../core/members/member-list.ts';
import type { Clock } from '../../core/ports.ts';
import { describe } from '../../errors.ts';
import type { Log } from '../../log.ts';

// After a write that failed, as on a full disk.
const AGAIN_EVERY_MS = 1000;
// Followers look at their list twice a second.
const SEEN_AFTER_MS = 1000;

export class ListWriter {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #controller: string | undefined;
  #state: FleetState | undefined;
  #wanted: string | undefined;
  #written: string | undefined;
  #fault: string | undefined;
  #writing: Promise<void> = Promise.resolve();
  #endTimer = () => {};

  constructor(path: string, clock: Clock, log: Log) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Writes from now on, beginning with the state that was kept last. Until then nothing is written: a controller that
   * begins anew knows no address yet, and its followers would lose theirs.
   * @param controller URL where the fleet is changed.
   */
  begin(controller: string): void {
    this.#controller = controller;
    this.#endTimer = this.#clock.every(AGAIN_EVERY_MS, () => this.#writeSoon());
    if (this.#state !== undefined) this.keep(this.#state);
  }

  /** Writes this fleet. */
  keep(state: FleetState): void {
    this.#state = state;
    if (this.#controller === undefined) return;
    this.#wanted = writeMemberList({ controller: this.#controller, members: membersOf(state) });
    this.#writeSoon();
  }

  /**
   * Resolves when followers have seen what is kept now, and send nothing to whoever has left; at once if nobody writes.
   * Never rejects. Gives up when `signal` is aborted.
   */
  async seen(signal: AbortSignal): Promise<void> {
    if (this.#controller === undefined) return;
    await this.#writing;
    await this.#clock.sleep(SEEN_AFTER_MS, signal).catch(() => undefined);
  }

  /** Writes nothing more: the fleet ends here, or another process has it. Resolves when all has been written. */
  async end(): Promise<void> {
    this.#controller = undefined;
    this.#endTimer();
    await this.#writing;
  }

  #writeSoon(): void {
    if (this.#wanted === this.#written) return;
    this.#writing = this.#writing.then(() => this.#write());
  }

  // Several changes while one is being written are one.
  async #write(): Promise<void> {
    const text = this.#wanted;
    if (text === undefined || text === this.#written) return;
    try {
      await this.#checkAlone();
      const beside = `${this.#path}.${process.pid}.new`;
      await writeFile(beside, text);
      await rename(beside, this.#path);
      this.#written = text;
      this.#fault = undefined;
    } catch (error) {
      const reason = describe(error);
      if (reason !== this.#fault) this.#log.error('members-unwritten', { file: this.#path, reason });
      this.#fault = reason;
    }
  }

  // The slip: two controllers with one file, whose followers would have one fleet and then the other.
  async #checkAlone(): Promise<void> {
    const found = this.#written && (await readFile(this.#path, 'utf8').catch(() => this.#written));
    if (found === this.#written) return;
    const reason = 'somebody else has written it since: a list has one controller';
    this.#log.error('members-contended', { file: this.#path, reason });
  }
}
