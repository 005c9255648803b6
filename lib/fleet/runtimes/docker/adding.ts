// Marks an /add that is under way with a note at the engine, whose label lists the seats from before. If the process is
// killed meanwhile, the next one finds the mark and stops what the unfinished change has made, because no client was
// told that it was done.

import { randomUUID } from 'node:crypto';
import type { SeatId } from '../../../core/ring/ring.ts';
import { LABEL } from './container.ts';
import type { Labels, Note, Notes } from './notes.ts';

export class Marks {
  readonly #notes: Notes;
  // Ids of the marks of changes that are over, to be removed.
  readonly #over = new Set<string>();

  constructor(notes: Notes) {
    this.#notes = notes;
  }

  /** Resolves with the function that takes the mark away. */
  async announce(fleet: string, seats: readonly SeatId[]): Promise<() => Promise<void>> {
    const labels = { [LABEL.fleet]: fleet, [LABEL.adding]: seats.join(',') };
    const id = await this.#notes.leave('keep what there was before', `ringmaster-adds-${randomUUID()}`, labels);
    return () => {
      this.#over.add(id);
      return this.removeOver();
    };
  }

  /** Takes away marks that another process has left, and tells whether a seat existed before each of their changes. */
  async heed(left: readonly Pick<Note, 'id' | 'labels'>[]): Promise<(seat: SeatId) => boolean> {
    for (const { id } of left) this.#over.add(id);
    await this.removeOver();
    const before = left.map(({ labels }) => new Set((labels[LABEL.adding] ?? '').split(',').map(Number)));
    return (seat) => before.every((seats) => seats.has(seat));
  }

  /** Never rejects. A mark that cannot be removed now is tried again with the next call. */
  async removeOver(): Promise<void> {
    for (const id of this.#over) {
      const isGone = await this.#notes.remove(id).then(
        () => true,
        () => false,
      );
      if (isGone) this.#over.delete(id);
    }
  }
}

export function isMark(labels: Labels): boolean {
  return labels[LABEL.adding] !== undefined;
}
