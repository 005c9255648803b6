// Learns from replies which seat has set an application's cookie, and says whose a cookie is. So a client stays with
// whoever made its session, though the cookie that names it comes with the first reply only.

import type { LearnedSeats } from '../../core/keys/learned-seats.ts';
import type { SeatId } from '../../core/ring/ring.ts';

const SET_COOKIE = 'set-cookie';

export class CookieLearner {
  readonly #start: string;
  readonly #seats: LearnedSeats;

  /** @param name of the cookie. */
  constructor(name: string, seats: LearnedSeats) {
    this.#start = `${name}=`;
    this.#seats = seats;
  }

  /** The seat that set the cookie of this value. */
  setterOf(value: string): SeatId | undefined {
    return this.#seats.seatOf(value);
  }

  /** @param fields of a reply: name, value, name, value, … @param seat where it comes from. */
  hear(fields: readonly string[], seat: SeatId): void {
    for (let index = 0; index < fields.length; index += 2) {
      const name = fields[index] as string;
      if (name.length !== SET_COOKIE.length || name.toLowerCase() !== SET_COOKIE) continue;
      const cookie = fields[index + 1] as string;
      if (!cookie.startsWith(this.#start)) continue;
      const end = cookie.indexOf(';');
      const value = cookie.slice(this.#start.length, end === -1 ? cookie.length : end).trim();
      // A cookie that is taken away is set to nothing.
      if (value !== '' && value !== '""') this.#seats.learn(value, seat);
    }
  }
}
