// The dashboard's files, read once and served as they are, and what the page may do for whom. The policy of the files
// lets the page load nothing, and talk to nobody, but this balancer.

import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { proxyMark } from '../http/credentials.ts';
import type { AccessRules } from './access.ts';
import type { Watcher } from './feed/live-feed.ts';

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
  'walk.js',
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

/** What decides what the page may do. */
export interface PagePorts {
  readonly originOf: (request: IncomingMessage) => string;
  readonly alone: boolean;
  readonly access: AccessRules;
  readonly whyNotHere: () => string | undefined;
}

/** Who watches, and whether they may change something. */
export function watcherOf({ access, alone, originOf, whyNotHere }: PagePorts, request: IncomingMessage): Watcher {
  const address = originOf(request);
  const elsewhere = whyNotHere();
  if (elsewhere !== undefined) return { address, alone, looksOnlyBecause: `${elsewhere}.` };
  // The attack: on the public port, a script of the service behind has the same origin and can read the token as it is
  // typed (test/browser/dashboard-token.test.ts). If changes need no token, there is no secret to read.
  if (alone) return { address, alone, looksOnlyBecause: undefined };
  if (access.token !== undefined) {
    return {
      address,
      alone,
      looksOnlyBecause:
        'Changes take the admin token and are made on the admin port (--admin-port): here a script of the service behind could read a token that is typed.',
    };
  }
  const mark = access.refusesProxied ? proxyMark(request) : undefined;
  const looksOnlyBecause =
    mark &&
    `This page came through a proxy (${mark}): changes are made on the machine itself, or on the admin port (--admin-port).`;
  return { address, alone, looksOnlyBecause };
}
