// Lines over the last five minutes. Each second brings one row of numbers, and the whole picture is drawn again: a few
// hundred points, which takes a millisecond.

import { byId, html, svg } from './document.js';

/** @typedef {import('./model.js').Row} Row */
/**
 * @typedef {{ marks: number[], partOf: (value: number) => number }} Axis `partOf` says where a value is, from 0 at the
 * bottom to 1 at the top
 */
/** @typedef {{ label: string, column: 1 | 3 | 5 | 6 | 7, class: string }} Line */

const SPAN_MS = 300_000;
const HEIGHT = 132;
const EDGE = { left: 56, right: 10, top: 10, bottom: 22 };

/**
 * @param {string} name is how the ids of the picture and the legend begin
 * @param {readonly Line[]} lines
 * @param {(value: number | null) => string} format
 * @param {(values: number[]) => Axis} axisOf
 */
export function createChart(name, lines, format, axisOf) {
  const picture = byId(`${name}-chart`, SVGSVGElement);
  const legend = byId(`${name}-legend`, HTMLElement);
  const values = lines.map((line) => {
    const value = html('b');
    legend.append(html('span', { class: line.class }, html('i', { 'aria-hidden': 'true' }), `${line.label} `, value));
    return value;
  });
  const title = picture.getAttribute('aria-label') ?? '';
  /** @type {readonly Row[]} */
  let rows = [];
  /** The x coordinate of the pointer; below 0 if it is elsewhere. */
  let pointedX = -1;

  const draw = () => {
    const width = picture.clientWidth;
    if (width === 0) return;
    const nowMs = rows.at(-1)?.[0] ?? 0;
    const axis = axisOf(rows.flatMap((row) => lines.map(({ column }) => row[column] ?? 0)));
    const xOf = (/** @type {number} */ atMs) =>
      EDGE.left + (1 - (nowMs - atMs) / SPAN_MS) * (width - EDGE.left - EDGE.right);
    const yOf = (/** @type {number} */ value) =>
      HEIGHT - EDGE.bottom - axis.partOf(value) * (HEIGHT - EDGE.top - EDGE.bottom);
    const pointed = rows.find((row) => pointedX >= 0 && xOf(row[0]) >= pointedX);
    const shown = pointed ?? rows.at(-1);
    lines.forEach(({ column }, index) => {
      const value = values[index];
      if (value !== undefined) value.textContent = format(shown?.[column] ?? null);
    });
    const cursor = pointed === undefined ? [] : [uprightAt(xOf(pointed[0]))];
    picture.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    picture.replaceChildren(
      ...gridLines(axis.marks, width, yOf, format),
      ...timeLabels(width),
      ...cursor,
      ...lines.flatMap((line, index) => linePaths(line, rows, xOf, yOf, index === 0)),
    );
    const words = lines.map(({ label, column }) => `${label} ${format(rows.at(-1)?.[column] ?? null)}`);
    picture.setAttribute('aria-label', `${title}. Now: ${words.join(', ')}.`);
  };
  new ResizeObserver(draw).observe(picture);
  picture.addEventListener('pointermove', ({ offsetX }) => {
    pointedX = offsetX;
    draw();
  });
  picture.addEventListener('pointerleave', () => {
    pointedX = -1;
    draw();
  });

  return {
    /** @param {readonly Row[]} latest */
    show(latest) {
      rows = latest;
      draw();
    },
  };
}

/**
 * An axis from 0 to the next of 10, 20, 50, 100, …
 * @param {number[]} values
 * @returns {Axis}
 */
export function linearAxis(values) {
  const most = Math.max(10, ...values);
  const unit = 10 ** Math.floor(Math.log10(most));
  const top = unit * ([1, 2, 5, 10].find((step) => step * unit >= most) ?? 10);
  return { marks: [0, top / 2, top], partOf: (value) => value / top };
}

/**
 * An axis in powers of ten, on which a median of half a millisecond and a bad second can both be read.
 * @param {number[]} values
 * @returns {Axis}
 */
export function logarithmicAxis(values) {
  const there = values.filter((value) => value > 0);
  const low = Math.floor(Math.log10(Math.min(1, ...there)));
  const high = Math.max(low + 2, Math.ceil(Math.log10(Math.max(1, ...there))));
  const marks = Array.from({ length: high - low + 1 }, (_, index) => 10 ** (low + index));
  return { marks, partOf: (value) => Math.max(0, (Math.log10(value) - low) / (high - low)) };
}

/**
 * @param {Line} line
 * @param {readonly Row[]} rows
 * @param {(atMs: number) => number} xOf
 * @param {(value: number) => number} yOf
 * @param {boolean} filled
 */
function linePaths(line, rows, xOf, yOf, filled) {
  let path = '';
  let area = '';
  let startX = '';
  let endX = '';
  const ground = String(HEIGHT - EDGE.bottom);
  const close = () => {
    if (startX !== '') area += `L${endX} ${ground}L${startX} ${ground}Z`;
    startX = '';
  };
  for (const row of rows) {
    const value = row[line.column];
    if (value === null) {
      close();
      continue;
    }
    const x = xOf(row[0]).toFixed(1);
    const step = `${startX === '' ? 'M' : 'L'}${x} ${yOf(value).toFixed(1)}`;
    path += step;
    area += step;
    if (startX === '') startX = x;
    endX = x;
  }
  close();
  const drawn = [svg('path', { d: path, class: `line ${line.class}` })];
  return filled ? [svg('path', { d: area, class: `area ${line.class}` }), ...drawn] : drawn;
}

/**
 * @param {number[]} marks
 * @param {number} width
 * @param {(value: number) => number} yOf
 * @param {(value: number) => string} format
 */
function gridLines(marks, width, yOf, format) {
  return marks.flatMap((mark) => {
    const y = yOf(mark);
    return [
      svg('path', { d: `M${EDGE.left} ${y}H${width - EDGE.right}`, class: 'grid' }),
      svg('text', { x: EDGE.left - 7, y: y + 4, class: 'axis end' }, format(mark)),
    ];
  });
}

/** @param {number} width */
function timeLabels(width) {
  const spans = [
    ['5 min ago', 0, 'start'],
    ['now', 1, 'end'],
  ];
  const inner = width - EDGE.left - EDGE.right;
  return spans.map(([text, part, anchor]) =>
    svg('text', { x: EDGE.left + Number(part) * inner, y: HEIGHT - 5, class: `axis ${anchor}` }, String(text)),
  );
}

/** @param {number} x */
const uprightAt = (x) => svg('path', { d: `M${x} ${EDGE.top}V${HEIGHT - EDGE.bottom}`, class: 'cursor' });
