// Bounded load: no seat gets more than its part of the requests in flight, times a factor. The rest walks on round the
// ring. Source: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018.

/**
 * How many requests a seat may have in flight, including one that is about to be placed: ⌈factor × its part⌉, at least
 * `floor`. With few in flight in all, its part is less than one request, and a seat would be full with the first: what
 * a key holds together would be parted though there is room.
 * @param factor 1 or more; Infinity for no bound.
 * @param inFlight requests in flight at all seats now.
 * @param part the seat's weight over the weight of all seats that take requests.
 * @param floor 1 or more.
 */
export function mostInFlight(factor: number, inFlight: number, part: number, floor = 1): number {
  // A part such as 1/3 is inexact: 55.00000000000001 must not become 56.
  return Math.max(floor, Math.ceil(factor * (inFlight + 1) * part - 1e-9));
}
