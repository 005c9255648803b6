// The arithmetic of the reports, on plain lists of numbers. Pure.

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** The mean of one number or more. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The standard deviation of a whole population, not of a sample: all replicas are included. */
export function standardDeviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

/** The largest relative to the mean: 1 if all are equal. */
export function maxOverMean(values: readonly number[]): number {
  return Math.max(...values) / mean(values);
}

/**
 * The value below which `part` of the values lie, interpolated between the two nearest.
 * @param part is from 0 to 1.
 */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = part * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), least: Math.min(...values), most: Math.max(...values) };
}

/**
 * How far a replica's count is off the mean at most, 19 times of 20, if requests go to replicas at random; in requests.
 */
export function chanceMargin(requests: number, replicas: number): number {
  const part = 1 / replicas;
  return NINETEEN_OF_TWENTY * Math.sqrt(requests * part * (1 - part));
}

// Standard deviations of a normal distribution.
const NINETEEN_OF_TWENTY = 1.96;
