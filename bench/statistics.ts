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

export interface Slope {
  /** Growth of the values for each unit of the times. */
  readonly perUnit: number;
  /** The true slope is no further off, 19 times of 20. */
  readonly margin: number;
}

/**
 * The slope of a straight line through the points, by least squares. What disturbs one value may disturb those after it
 * as well, so the margin takes that into account. Source: Newey and West, "A Simple, Positive Semi-Definite,
 * Heteroskedasticity and Autocorrelation Consistent Covariance Matrix", Econometrica 55(3), 1987.
 * @param times at even distances, in order; three or more.
 */
export function slopeOf(times: readonly number[], values: readonly number[]): Slope {
  const [middleTime, middleValue] = [mean(times), mean(values)];
  const offsets = times.map((time) => time - middleTime);
  const squares = offsets.reduce((sum, offset) => sum + offset ** 2, 0);
  const perUnit = offsets.reduce((sum, offset, at) => sum + offset * ((values[at] ?? 0) - middleValue), 0) / squares;
  const scores = offsets.map((offset, at) => offset * ((values[at] ?? 0) - middleValue - perUnit * offset));
  // As many neighbours as is usual.
  const lags = Math.floor(4 * (times.length / 100) ** (2 / 9));
  let variance = 0;
  for (let lag = 0; lag <= lags; lag++) {
    const together = scores.slice(lag).reduce((sum, score, at) => sum + score * (scores[at] ?? 0), 0);
    variance += (lag === 0 ? 1 : 2 * (1 - lag / (lags + 1))) * together;
  }
  return { perUnit, margin: (NINETEEN_OF_TWENTY * Math.sqrt(Math.max(0, variance))) / squares };
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
