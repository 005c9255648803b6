// What `npm run what-if` prints.

import { brief, whole } from '../../bench/charts/theme.ts';
import type { HitRatio } from '../../lib/core/what-if/hit-curve.ts';
import type { Need } from '../../lib/core/what-if/needs.ts';
import type { Prediction, SituationPrediction } from '../../lib/core/what-if/prediction.ts';
import type { Requests } from './requests.ts';

export function printed(prediction: Prediction, needs: readonly Need[], requests: Requests): string {
  const [now, then] = prediction.situations as [SituationPrediction, SituationPrediction];
  const isCompared = now.name !== then.name && JSON.stringify(now.seats) !== JSON.stringify(then.seats);
  const parts = [
    summary(prediction, requests),
    `Now, ${situationText(now)}\n${seatTable(now)}`,
    ...(isCompared ? [`Then, ${situationText(then)}\n${seatTable(then)}`] : []),
    movedText(prediction),
    comparisonText(prediction),
    needsText(needs),
    hotText(prediction, then),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function summary(prediction: Prediction, { counts, late, notes }: Requests): string {
  const { requests, keyed, keys, fromMs, toMs, agreement, sampleRate, cutShort } = prediction;
  const time = (ms: number) => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
  const lines = [
    `${whole(requests)} requests, ${time(fromMs)} to ${time(toMs)}; ${whole(keyed)} with a key, of ${estimate(keys)} keys`,
    ...[...notes].map((note) => `note: ${note}`),
  ];
  if (counts.broken > 0) lines.push(`${whole(counts.broken)} lines could not be read`);
  if (counts.own > 0) lines.push(`${whole(counts.own)} lines passed over: no replica had these requests`);
  if (counts.withoutDuration > 0)
    lines.push(`${whole(counts.withoutDuration)} requests have no duration: --duration is taken`);
  if (counts.hiddenCookies > 0)
    lines.push(`${whole(counts.hiddenCookies)} lines hide their cookies (Caddy: log_credentials)`);
  if (late > 0) lines.push(`${whole(late)} requests came too late in the log to be played in their place`);
  if (cutShort > 0) lines.push(`${whole(cutShort)} requests ended early in the play: too many were in flight`);
  if (agreement.told > 0) {
    lines.push(
      `of ${whole(agreement.told)} whose replica the log tells, ${percent(agreement.same / agreement.told)} are where the ring of now has them`,
    );
  }
  if (sampleRate < 1) lines.push(`hits from a sample of 1 in ${whole(1 / sampleRate)} objects; ± is the 95 % interval`);
  return lines.join('\n');
}

function situationText({ replicas, hash, factor, maxOverMean, spill, hits }: SituationPrediction): string {
  const bound = factor === null ? 'no bound on load' : `bound ${factor}`;
  return (
    `${replicas} replicas by ${hash}, ${bound}: most over mean ${maxOverMean.toFixed(2)}, ` +
    `spilled ${percent(spill)}, hits ${hits.map(hitText).join(', ')}`
  );
}

function seatTable({ seats }: SituationPrediction): string {
  const sizes = seats[0]?.hits.map(({ cacheBytes }) => `hits in ${sizeText(cacheBytes)}`) ?? [];
  return table(
    ['seat', 'requests', 'share', 'most a second', 'in flight', 'most', 'spilled', ...sizes],
    seats.map((one) => [
      String(one.seat),
      whole(one.requests),
      percent(one.share),
      brief(one.peakPerSecond),
      brief(one.meanInFlight),
      String(one.peakInFlight),
      whole(one.spilled),
      ...one.hits.map(ratioText),
    ]),
  );
}

function movedText({ moved }: Prediction): string {
  const real = moved.filter(({ from, to }) => from !== to);
  if (real.length === 0) return '';
  const rows = real.map(({ from, to, ring, requests, keys }) => [
    `${from} to ${to}`,
    percent(ring),
    percent(requests),
    `${percent(keys.value)}${keys.error > 0 ? ` ± ${(100 * keys.error).toFixed(1)}` : ''}`,
  ]);
  return `What moves\n${table(['seats', 'of the ring', 'of the requests', 'of the keys'], rows)}`;
}

function comparisonText({ situations }: Prediction): string {
  const compared = situations.filter(({ name }) => name === 'compared');
  if (compared.length === 0) return '';
  const rows = compared.map((one) => [
    one.hash,
    factorText(one.factor),
    one.maxOverMean.toFixed(2),
    brief(one.peakPerSecond),
    String(one.peakInFlight),
    percent(one.spill),
    ...one.hits.slice(0, 1).map(ratioText),
  ]);
  const heads = ['hash', 'factor', 'most over mean', 'most a second', 'most in flight', 'spilled', 'hits'];
  return `Other rings for ${compared[0]?.replicas} replicas\n${table(heads, rows)}`;
}

function needsText(needs: readonly Need[]): string {
  if (needs.length === 0) return '';
  const rows = needs.map(({ hash, factor, replicas, tried }) => [
    hash,
    factorText(factor),
    replicas === null ? `more than ${tried}` : String(replicas),
  ]);
  return `Replicas that the target takes\n${table(['hash', 'factor', 'replicas'], rows)}`;
}

function hotText({ hotKeys }: Prediction, { replicas }: SituationPrediction): string {
  if (hotKeys.length === 0) return '';
  const rows = hotKeys
    .slice(0, 10)
    .map(({ key, label, most, least, exceedsPart }) => [
      String(key),
      percent(most) + (most - least > 0.0005 ? ` (at least ${percent(least)})` : ''),
      exceedsPart ? 'no ring can mend it' : 'fits',
      label ?? '',
    ]);
  return `Hot keys; a fair part of ${replicas} replicas is ${percent(1 / replicas)}\n${table(['key', 'of the requests', '', 'as'], rows)}`;
}

function estimate({ value, error }: { readonly value: number; readonly error: number }): string {
  return error === 0 ? whole(value) : `${whole(value)} ± ${whole(error)}`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}

function ratioText({ ratio, error }: HitRatio): string {
  return percent(ratio) + (error === 0 ? '' : ` ± ${(100 * error).toFixed(1)}`);
}

function hitText(hit: HitRatio): string {
  return `${ratioText(hit)} in ${sizeText(hit.cacheBytes)}`;
}

export function factorText(factor: number | null): string {
  return factor === null ? 'off' : String(factor);
}

export function sizeText(bytes: number): string {
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10));
  const amount = bytes / 1024 ** power;
  return `${Number.isInteger(amount) ? amount : amount.toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`;
}

// The first column and the last one, if that is text, stand left; numbers stand right.
function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length)));
  const isText = (at: number) => at === 0 || rows.every((row) => !/^\d/.test(row[at] ?? ''));
  const line = (row: readonly string[]) =>
    row
      .map((cell, at) => (isText(at) ? cell.padEnd(widths[at] as number) : cell.padStart(widths[at] as number)))
      .join('  ')
      .trimEnd();
  return all.map((row) => `  ${line(row)}`).join('\n');
}
