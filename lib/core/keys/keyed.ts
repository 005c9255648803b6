// How many requests with a key are where they belong, by the class of the key, out of what a data plane has counted.

import { KEY_CLASSES, type KeyClass } from '../request/key-source.ts';
import { FRONT_LAYOUT, KEY_WAYS } from '../traffic/measures.ts';
import type { PlaneReading } from '../traffic/plane-reading.ts';

/** Requests with a key of that class that got a place, since the start. */
export interface KeyedCounts {
  readonly keyClass: KeyClass;
  /** At the seat that comes first for their key. */
  readonly owner: number;
  /** At another. */
  readonly other: number;
}

/** Of all threads together; only classes of which there was a request. */
export function keyedCounts({ threads }: Pick<PlaneReading, 'threads'>): KeyedCounts[] {
  return KEY_CLASSES.map((keyClass, index) => {
    const [owner = 0, other = 0] = KEY_WAYS.map((_, way) => {
      const cell = FRONT_LAYOUT.keyed + KEY_WAYS.length * index + way;
      return threads.reduce((sum, { cells }) => sum + (cells[cell] as number), 0);
    });
    return { keyClass, owner, other };
  }).filter(({ owner, other }) => owner + other > 0);
}
