// Serves the pages and what they are made of, read once at start, from memory. Pages may use nothing but this origin.
// replica/site/ has what they look like and do.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { reply } from './replies.ts';

/** Files by path. Nothing else in the folder is served. */
const FILES: Readonly<Record<string, string>> = {
  '/': 'index.html',
  '/sample': 'sample.html',
  '/site/site.css': 'site.css',
  '/site/vote.css': 'vote.css',
  '/site/sample.css': 'sample.css',
  '/site/balancer.js': 'balancer.js',
  '/site/vote.js': 'vote.js',
  '/site/sample.js': 'sample.js',
};

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

// The attack: somebody gets text into a page that runs as a script. Only our own scripts run, and they talk to no other
// host.
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Gives a handler for each path of the site. Throws if a file is missing. */
export function readSite(): Record<string, (request: IncomingMessage, response: ServerResponse) => void> {
  const entries = Object.entries(FILES).map(([path, name]) => {
    const content = readFileSync(new URL(`site/${name}`, import.meta.url));
    const type = TYPES[extname(name)];
    const tag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 16)}"`;
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      response.setHeader('Content-Security-Policy', POLICY);
      response.setHeader('Referrer-Policy', 'no-referrer');
      // The page may be cached but must be checked each time: a replica of a newer version may answer next.
      response.setHeader('Cache-Control', 'no-cache');
      response.setHeader('ETag', tag);
      if (!isKnown(tag, request.headers['if-none-match'])) reply(response, 200, content, type);
      else response.writeHead(304).end();
    };
    return [path, answer] as const;
  });
  return Object.fromEntries(entries);
}

// A proxy on the way may have made the tag a weak one, which still says that the content is the same (RFC 9110,
// 13.1.2).
function isKnown(tag: string, known = ''): boolean {
  return known.split(',').some((one) => one.trim().replace(/^W\//, '') === tag);
}
