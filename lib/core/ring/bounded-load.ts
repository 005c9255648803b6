// Bounded load: no seat gets more than its part of the requests in flight, times a factor. The rest walks on round the
// ring. Source: Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", SODA 2018.

/**
 * How many requests a seat may have in flight, including one that is about to be placed: ⌈factor × its part⌉, at least
 * `floor`. With few in flight in all, its part is less than one request, and a seat would be full with the first: what
 * a key holds together would be parted though there is room.
 *
 * Where requests have weights, all of these are weights, and the seat may take the request while it has less than this:
 * it may end above it by that one request. A rule that forbids this would leave a heavy request no seat at all. As the
 * lightest seat is never above its part, there always is one that may.
 * @param factor 1 or more; Infinity for no bound.
 * @param inFlight requests in flight at all seats now, or what they weigh.
 * @param part the seat's weight over the weight of all seats that take requests.
 * @param floor 1 or more.
 * @param weight of the request that is about to be placed.
 */
export function mostInFlight(factor: number, inFlight: number, part: number, floor = 1, weight = 1): number {
  // A part such as 1/3 is inexact: 55.00000000000001 must not become 56.
  return Math.max(floor, Math.ceil(factor * (inFlight + weight) * part - 1e-9));
}
