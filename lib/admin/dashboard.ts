// The dashboard's files, read once and served as they are. Their policy lets the page load nothing, and talk to nobody,
// but this balancer.

import { readFileSync } from 'node:fs';

export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
}

// The attack: a hostname, or a reason in the log, is taken for markup. Without inline scripts and foreign hosts it can
// do nothing. Framing is forbidden too, so that no other site gets its buttons clicked
// (test/browser/dashboard.test.ts).
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'none'",
].join('; ');

/** Fields of every file of the page. */
export const PAGE_FIELDS = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
};

// Files are listed by name, so that a file left in the folder by accident is not served.
const PAGES = ['index.html'];
const STYLES = [
  'colours.css',
  'dashboard.css',
  'ring.css',
  'replicas.css',
  'charts.css',
  'keys.css',
  'lesson.css',
  'present.css',
  'autoscale.css',
  'narrow.css',
];
const MODULES = [
  'dashboard.js',
  'autoscale.js',
  'model.js',
  'format.js',
  'document.js',
  'places.js',
  'prediction.js',
  'walk.js',
  'route.js',
  'ring.js',
  'explain.js',
  'load.js',
  'order.js',
  'present.js',
  'sparks.js',
  'replicas.js',
  'spread.js',
  'chart.js',
  'event-log.js',
  'changes.js',
  'keys.js',
  'token.js',
];

/** All files by their path. The page itself is at /balancer/. */
export function readPageFiles(): Map<string, PageFile> {
  const read = (names: readonly string[], type: string) =>
    names.map((name): [string, PageFile] => [
      `/balancer/${name === 'index.html' ? '' : name}`,
      { type: `${type}; charset=utf-8`, bytes: readFileSync(new URL(`dashboard/${name}`, import.meta.url)) },
    ]);
  return new Map([...read(PAGES, 'text/html'), ...read(STYLES, 'text/css'), ...read(MODULES, 'text/javascript')]);
}
