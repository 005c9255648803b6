// The colours of seats, as people see them who lack one kind of cone: by arithmetic, since no test looks at pictures.
// Shapes and numbers tell seats apart as well (test/browser/dashboard-lesson.test.ts); colour has to do its part where
// seats are compared first.

import { readFileSync } from 'node:fs';
import t from 'tap';

type Triple = readonly [number, number, number];

// Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009,
// for the full deficiency. Each row gives a channel of linear light.
const SIGHTS: Readonly<Record<string, readonly [Triple, Triple, Triple]>> = {
  'all cones': [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};
// Hundredths of OKLab, in which black and white are 100 apart. Two is about what an eye just tells apart side by side.
const FIRST_APART = 9.5;
const NEIGHBOURS_APART = 7.9;
const ALL_APART = 4.5;
// Dark text on the colour, as WCAG 2.2 asks of it (1.4.3).
const CONTRAST = 4.5;
const INK = '#0b0e15';

const css = readFileSync(new URL('../../lib/admin/dashboard/colours.css', import.meta.url), 'utf8');
const [light = '', dark = ''] = css.split('prefers-color-scheme: dark');

for (const [scheme, text] of Object.entries({ light, dark })) {
  const colours = [...text.matchAll(/--seat-\d: (#[0-9a-f]{6});/g)].map(([, colour = '']) => colour);

  t.test(`${scheme}: seats are told apart by their colours, whichever cones one has`, async (t) => {
    t.equal(colours.length, 8);
    for (const [sight, matrix] of Object.entries(SIGHTS)) {
      const seen = colours.map((colour) => seenAs(colour, matrix));
      for (const [index, one] of seen.entries()) {
        for (const [other, two] of [...seen.entries()].slice(index + 1)) {
          const apart = 100 * Math.hypot(...one.map((value, axis) => value - (two[axis] ?? 0)));
          const areNeighbours = other - index === 1 || other - index === 7;
          const least = other < 3 ? FIRST_APART : areNeighbours ? NEIGHBOURS_APART : ALL_APART;
          t.ok(apart >= least, `${sight}: seats ${index + 1} and ${other + 1} are ${apart.toFixed(1)} apart`);
        }
      }
    }
  });

  t.test(`${scheme}: a number can be read on each of them`, async (t) => {
    for (const [index, colour] of colours.entries()) {
      const contrast = (luminanceOf(colour) + 0.05) / (luminanceOf(INK) + 0.05);
      t.ok(contrast >= CONTRAST, `seat ${index + 1}: ${contrast.toFixed(1)}`);
    }
  });
}

/** The three channels of linear light. */
function lightOf(colour: string): number[] {
  return [1, 3, 5].map((at) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
}

function luminanceOf(colour: string): number {
  return dot([0.2126, 0.7152, 0.0722], lightOf(colour));
}

/** In OKLab (Ottosson, 2020). */
function seenAs(colour: string, matrix: readonly Triple[]): number[] {
  const light = lightOf(colour);
  const seen = matrix.map((row) => Math.min(1, Math.max(0, dot(row, light))));
  const cones = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
  ].map((row) => Math.cbrt(dot(row, seen)));
  return [
    [0.2104542553, 0.793617785, -0.0040720468],
    [1.9779984951, -2.428592205, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.808675766],
  ].map((row) => dot(row, cones));
}

function dot(row: readonly number[], column: readonly number[]): number {
  return row.reduce((sum, factor, index) => sum + factor * (column[index] ?? 0), 0);
}
