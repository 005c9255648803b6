// The pages and what they are made of, read once when the replica starts and served from memory. They may use nothing but this
// origin; what they look like and do is in replica/site/.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { reply } from './replies.ts';

/** By path; nothing else of the folder is served. */
const FILES: Readonly<Record<string, string>> = {
  '/': 'index.html',
  '/sample': 'sample.html',
  '/site/site.css': 'site.css',
  '/site/vote.css': 'vote.css',
  '/site/sample.css': 'sample.css',
  '/site/vote.js': 'vote.js',
  '/site/sample.js': 'sample.js',
};

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

// The attack: text that somebody got into a page, as script. None is run but ours, and no other host is spoken to.
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

/** For each path of the site what answers it. Throws if a file is missing. */
export function readSite(): Record<string, (request: IncomingMessage, response: ServerResponse) => void> {
  const entries = Object.entries(FILES).map(([path, name]) => {
    const content = readFileSync(new URL(`site/${name}`, import.meta.url));
    const type = TYPES[extname(name)];
    const tag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 16)}"`;
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      response.setHeader('Content-Security-Policy', POLICY);
      response.setHeader('Referrer-Policy', 'no-referrer');
      // Kept, but asked for each time: a replica of a newer version may answer next.
      response.setHeader('Cache-Control', 'no-cache');
      response.setHeader('ETag', tag);
      if (!isKnown(tag, request.headers['if-none-match'])) reply(response, 200, content, type);
      else response.writeHead(304).end();
    };
    return [path, answer] as const;
  });
  return Object.fromEntries(entries);
}

// A proxy on the way may have made the tag a weak one, which still says that the content is the same (RFC 9110, 13.1.2).
function isKnown(tag: string, known = ''): boolean {
  return known.split(',').some((one) => one.trim().replace(/^W\//, '') === tag);
}
