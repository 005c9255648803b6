// The arithmetic of the reports, on plain lists of numbers. Pure; what the numbers mean is the business of the charts.

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** Of one number or more. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Of a whole population, not of a sample of it: all replicas are there. */
export function standardDeviation(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - middle) ** 2)));
}

/** The largest over the mean: 1 if all are equal. */
export function maxOverMean(values: readonly number[]): number {
  return Math.max(...values) / mean(values);
}

/**
 * The value below which `part` of the values lie, between the two nearest where it falls between them.
 * @param part 0 … 1.
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

/** Within how much of the mean a replica's count lies 19 times of 20, were each request given to one of them by chance. */
export function chanceMargin(requests: number, replicas: number): number {
  const part = 1 / replicas;
  return NINETEEN_OF_TWENTY * Math.sqrt(requests * part * (1 - part));
}

// Of a normal distribution, in standard deviations.
const NINETEEN_OF_TWENTY = 1.96;
