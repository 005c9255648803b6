// The dashboard's files: read once, served as they are, under a policy by which the page can load nothing and talk to nobody but
// this balancer.

import { readFileSync } from 'node:fs';

export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
}

// The attack: a hostname or a reason in the log that is taken for markup. Without inline scripts and foreign hosts it could do
// nothing, and framed by another site the buttons could not be clicked (test/browser/dashboard.test.ts).
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

const FILES = {
  'index.html': 'text/html; charset=utf-8',
  'dashboard.css': 'text/css; charset=utf-8',
  'dashboard.js': 'text/javascript; charset=utf-8',
  'model.js': 'text/javascript; charset=utf-8',
  'format.js': 'text/javascript; charset=utf-8',
  'document.js': 'text/javascript; charset=utf-8',
  'ring.js': 'text/javascript; charset=utf-8',
  'sparks.js': 'text/javascript; charset=utf-8',
  'replicas.js': 'text/javascript; charset=utf-8',
  'spread.js': 'text/javascript; charset=utf-8',
  'chart.js': 'text/javascript; charset=utf-8',
  'event-log.js': 'text/javascript; charset=utf-8',
  'changes.js': 'text/javascript; charset=utf-8',
};

/** All files by their path; the page itself is at /balancer/. */
export function readPageFiles(): Map<string, PageFile> {
  const read = (name: string) => readFileSync(new URL(`dashboard/${name}`, import.meta.url));
  return new Map(
    Object.entries(FILES).map(([name, type]) => [
      `/balancer/${name === 'index.html' ? '' : name}`,
      { type, bytes: read(name) },
    ]),
  );
}
