// Which requests were at a replica when it went, in memory that all threads of a data plane share, as the ledger is: a
// request that kills whoever gets it must not be sent by one thread because another has seen it kill. poison.ts judges
// what is noted here; this file keeps it, and says how a request may go on.
//
// A note is made when the connection to a replica breaks under a request. Until it is known whether the replica lives,
// and longer if it does not, the request is a suspect: it goes on alone, one at a time, to a replica where no other
// suspect is and none was lost alone, on a new connection, which a replica that is dead already does not take. So if
// that replica goes too, it is clear who it was. An answer clears it at once. While nothing is noted, a request costs a
// look at one cell.
//
// Bounds: 1,024 notes and 64 requests in quarantine. What finds no room is not suspected.

import type { ReplicaRef } from '../ports.ts';
import type { SeatId } from '../ring/ring.ts';

export const MOST_NOTES = 1024;
export const MOST_QUARANTINED = 64;
// So much of the words for people is kept.
const MOST_LABEL_BYTES = 120;

/** How long a broken connection alone makes a suspect, in ms: a replica that died is known to have died by then. */
export const BREAK_DOUBT_MS = 1500;
/** How long a request is doubted that was alone when its client left, in ms: its replica may be found to hang. */
export const HANG_DOUBT_MS = 10_000;
/** How long a note is kept, in ms, in case the end of the replica is learnt late. */
export const DOUBT_KEPT_MS = 10_000;

/** How long one is a suspect at most that was at a replica that ended, in ms. */
export const SUSPECT_KEPT_MS = 60_000;

// Claims are by number, so two requests or seats may share one; then one waits for the other without need.
const CLAIMS = 256;

// Cells of whole numbers: how many notes and quarantines there are, and how many notes; then a part for each kind of
// thing.
const OCCUPIED = 0;
const NOTED = 1;
const NOTE_SLOTS = 2;
const ALONE = NOTE_SLOTS + MOST_NOTES;
const VERDICTS = ALONE + MOST_NOTES;
const LABEL_LENGTHS = VERDICTS + MOST_NOTES;
const QUARANTINE_SLOTS = LABEL_LENGTHS + MOST_NOTES;
const REQUEST_CLAIMS = QUARANTINE_SLOTS + MOST_QUARANTINED;
const SEAT_CLAIMS = REQUEST_CLAIMS + CLAIMS;
const CELLS = SEAT_CLAIMS + CLAIMS;
// Numbers: fingerprint, incarnation, time and end of the doubt of each note, then fingerprint and end of each
// quarantine.
const NOTE_NUMBERS = 4;
const QUARANTINES = MOST_NOTES * NOTE_NUMBERS;
const NUMBERS = QUARANTINES + MOST_QUARANTINED * 2;
const LABELS_AT = NUMBERS * 8 + CELLS * 4;

export const SUSPECTS_BYTES = LABELS_AT + MOST_NOTES * MOST_LABEL_BYTES;

// Of a slot. One that is being written holds the number of its thread below zero, so that it can be given back.
const FREE = 0;
const HELD = 1;

/** What became of the replica: `unknown` until that is known. */
export type Verdict = 'unknown' | 'lives' | 'ended';
const VERDICT_NAMES: readonly Verdict[] = ['unknown', 'lives', 'ended'];

/** A request that was at a replica when its connection broke. */
export interface Note extends NewNote {
  readonly slot: number;
  readonly verdict: Verdict;
}

export interface NewNote {
  readonly fingerprint: number;
  readonly incarnation: number;
  readonly atMs: number;
  /** No other suspect was there. */
  readonly wasAlone: boolean;
  /** What was asked, for people. */
  readonly label: string;
}

/**
 * How a request may go on. `free`: like any other. `alone`: it is a suspect. `strictly-alone`: it was at several
 * replicas that ended. `held`: it was lost while it was alone, and has to wait until it is known why. A number: it is
 * refused until then, by the clock.
 */
export type Standing = 'free' | 'alone' | 'strictly-alone' | 'held' | number;

export class Suspects {
  readonly #numbers: Float64Array;
  readonly #cells: Int32Array;
  readonly #labels: Uint8Array;
  // Marks what this thread holds.
  readonly #owner: number;

  /** @param memory of `SUSPECTS_BYTES`, all 0 at first. @param thread 0, 1, … */
  constructor(memory: ArrayBufferLike, thread: number) {
    this.#numbers = new Float64Array(memory, 0, NUMBERS);
    this.#cells = new Int32Array(memory, NUMBERS * 8, CELLS);
    this.#labels = new Uint8Array(memory, LABELS_AT);
    this.#owner = thread + 1;
  }

  /** Nothing is noted and nothing is in quarantine. */
  get isQuiet(): boolean {
    return Atomics.load(this.#cells, OCCUPIED) === 0;
  }

  /** That replica had the request when its connection broke, or when it was given up. */
  note({ fingerprint, incarnation, atMs, wasAlone, label }: NewNote, doubtMs = BREAK_DOUBT_MS): void {
    const known = this.#slotOf(fingerprint, incarnation);
    if (known !== undefined) {
      if (wasAlone) this.#cells[ALONE + known] = 1;
      return;
    }
    const slot = this.#take(NOTE_SLOTS, MOST_NOTES);
    if (slot === undefined) return;
    const at = slot * NOTE_NUMBERS;
    this.#numbers[at] = fingerprint;
    this.#numbers[at + 1] = incarnation;
    this.#numbers[at + 2] = atMs;
    this.#numbers[at + 3] = atMs + doubtMs;
    this.#cells[ALONE + slot] = wasAlone ? 1 : 0;
    this.#cells[VERDICTS + slot] = 0;
    const kept = label.slice(0, MOST_LABEL_BYTES);
    this.#cells[LABEL_LENGTHS + slot] = kept.length;
    for (let index = 0; index < kept.length; index++) {
      this.#labels[slot * MOST_LABEL_BYTES + index] = kept.charCodeAt(index);
    }
    Atomics.add(this.#cells, NOTED, 1);
    this.#hold(NOTE_SLOTS + slot);
  }

  standing(fingerprint: number, nowMs: number): Standing {
    for (let slot = 0; slot < MOST_QUARANTINED; slot++) {
      if (this.#numbers[QUARANTINES + slot * 2] !== fingerprint || !this.#isHeld(QUARANTINE_SLOTS + slot)) continue;
      const untilMs = this.#numbers[QUARANTINES + slot * 2 + 1] as number;
      if (untilMs > nowMs) return untilMs;
    }
    if (!this.#hasNotes) return 'free';
    let ends = 0;
    let standing: Standing = 'free';
    for (let slot = 0; slot < MOST_NOTES; slot++) {
      if (this.#numbers[slot * NOTE_NUMBERS] !== fingerprint || !this.#isHeld(NOTE_SLOTS + slot)) continue;
      if (!this.#isDoubted(slot, nowMs)) continue;
      if (this.#cells[ALONE + slot] === 1) return 'held';
      if (this.#verdictOf(slot) === 'ended') ends += 1;
      standing = 'alone';
    }
    return ends > 1 ? 'strictly-alone' : standing;
  }

  /** A replica has answered the request, so it kills nobody. */
  answered(fingerprint: number): void {
    if (!this.#hasNotes) return;
    for (let slot = 0; slot < MOST_NOTES; slot++) {
      if (this.#numbers[slot * NOTE_NUMBERS] === fingerprint) this.drop(slot);
    }
  }

  /**
   * One that is a suspect may be sent, if it is under way nowhere else and need not be held. Then it must be released.
   */
  claim(fingerprint: number, nowMs: number): boolean {
    if (!this.#claim(REQUEST_CLAIMS + (fingerprint % CLAIMS))) return false;
    // Asked once more: whoever had the claim may have been lost, and noted, since the caller asked.
    const standing = this.standing(fingerprint, nowMs);
    if (typeof standing === 'string' && standing !== 'held') return true;
    this.release(fingerprint);
    return false;
  }

  release(fingerprint: number): void {
    Atomics.store(this.#cells, REQUEST_CLAIMS + (fingerprint % CLAIMS), 0);
  }

  /** A suspect may go to that replica, if no other is there or was lost alone there. Then its seat must be released. */
  claimSeat({ seat, incarnation }: ReplicaRef, nowMs: number): boolean {
    if (!this.#claim(SEAT_CLAIMS + (seat % CLAIMS))) return false;
    if (!this.#hasLostOne(incarnation, nowMs)) return true;
    this.releaseSeat(seat);
    return false;
  }

  releaseSeat(seat: SeatId): void {
    Atomics.store(this.#cells, SEAT_CLAIMS + (seat % CLAIMS), 0);
  }

  /** That thread has ended: what it claimed is free. */
  giveBackOf(thread: number): void {
    const owner = thread + 1;
    for (let cell = REQUEST_CLAIMS; cell < CELLS; cell++) Atomics.compareExchange(this.#cells, cell, owner, 0);
    for (let slot = 0; slot < MOST_NOTES; slot++) Atomics.compareExchange(this.#cells, NOTE_SLOTS + slot, -owner, FREE);
  }

  notes(): Note[] {
    const notes: Note[] = [];
    if (!this.#hasNotes) return notes;
    for (let slot = 0; slot < MOST_NOTES; slot++) {
      if (!this.#isHeld(NOTE_SLOTS + slot)) continue;
      const at = slot * NOTE_NUMBERS;
      const label = slot * MOST_LABEL_BYTES;
      const length = this.#cells[LABEL_LENGTHS + slot] as number;
      notes.push({
        slot,
        fingerprint: this.#numbers[at] as number,
        incarnation: this.#numbers[at + 1] as number,
        atMs: this.#numbers[at + 2] as number,
        wasAlone: this.#cells[ALONE + slot] === 1,
        verdict: this.#verdictOf(slot),
        label: String.fromCharCode(...this.#labels.subarray(label, label + length)),
      });
    }
    return notes;
  }

  decide(slot: number, verdict: Verdict): void {
    Atomics.store(this.#cells, VERDICTS + slot, VERDICT_NAMES.indexOf(verdict));
  }

  /** It is not clear that it was this request. */
  forgive(slot: number): void {
    Atomics.store(this.#cells, ALONE + slot, 0);
  }

  drop(slot: number): void {
    if (this.#free(NOTE_SLOTS + slot)) Atomics.sub(this.#cells, NOTED, 1);
  }

  /** Refuses the request from now on. False if as many are refused already as may be. */
  quarantine(fingerprint: number, untilMs: number): boolean {
    const slot = this.#take(QUARANTINE_SLOTS, MOST_QUARANTINED);
    if (slot === undefined) return false;
    this.#numbers[QUARANTINES + slot * 2] = fingerprint;
    this.#numbers[QUARANTINES + slot * 2 + 1] = untilMs;
    this.#hold(QUARANTINE_SLOTS + slot);
    return true;
  }

  lift(fingerprint: number): void {
    for (let slot = 0; slot < MOST_QUARANTINED; slot++) {
      if (this.#numbers[QUARANTINES + slot * 2] === fingerprint) this.#free(QUARANTINE_SLOTS + slot);
    }
  }

  get #hasNotes(): boolean {
    return Atomics.load(this.#cells, NOTED) > 0;
  }

  #slotOf(fingerprint: number, incarnation: number): number | undefined {
    for (let slot = 0; slot < MOST_NOTES; slot++) {
      const at = slot * NOTE_NUMBERS;
      const isIt = this.#numbers[at] === fingerprint && this.#numbers[at + 1] === incarnation;
      if (isIt && this.#isHeld(NOTE_SLOTS + slot)) return slot;
    }
    return undefined;
  }

  #hasLostOne(incarnation: number, nowMs: number): boolean {
    for (let slot = 0; slot < MOST_NOTES; slot++) {
      const isThere = this.#numbers[slot * NOTE_NUMBERS + 1] === incarnation && this.#isHeld(NOTE_SLOTS + slot);
      if (isThere && this.#cells[ALONE + slot] === 1 && this.#isDoubted(slot, nowMs)) return true;
    }
    return false;
  }

  // The replica of this note has ended, or may have.
  #isDoubted(slot: number, nowMs: number): boolean {
    const verdict = this.#verdictOf(slot);
    return verdict === 'ended' || (verdict === 'unknown' && nowMs < (this.#numbers[slot * NOTE_NUMBERS + 3] as number));
  }

  #claim(cell: number): boolean {
    return Atomics.compareExchange(this.#cells, cell, 0, this.#owner) === 0;
  }

  #take(first: number, most: number): number | undefined {
    for (let slot = 0; slot < most; slot++) {
      if (Atomics.compareExchange(this.#cells, first + slot, FREE, -this.#owner) === FREE) return slot;
    }
    return undefined;
  }

  #hold(cell: number): void {
    Atomics.add(this.#cells, OCCUPIED, 1);
    Atomics.store(this.#cells, cell, HELD);
  }

  #free(cell: number): boolean {
    if (Atomics.compareExchange(this.#cells, cell, HELD, FREE) !== HELD) return false;
    Atomics.sub(this.#cells, OCCUPIED, 1);
    return true;
  }

  #isHeld(cell: number): boolean {
    return Atomics.load(this.#cells, cell) === HELD;
  }

  #verdictOf(slot: number): Verdict {
    return VERDICT_NAMES[Atomics.load(this.#cells, VERDICTS + slot)] as Verdict;
  }
}
