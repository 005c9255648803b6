#!/usr/bin/env sh
':' //; node --disable-sigusr1 --version >/dev/null 2>&1 && exec node --disable-sigusr1 "$0" "$@"; exec node "$0" "$@"

// The command `ringmaster` of the package. A shell runs the line above, which is a string and a comment to Node, and
// starts this file again in Node. The attack: any process of this user opens the inspector by SIGUSR1, until our own
// code forbids it. The flag forbids it from the start; a Node that does not know it ends at once, and so it is tried
// first. (`env -S` in the first line cannot try, and not every system has it.)
//
// It is plain JavaScript in words that old versions of Node know, so that they get as far as the message below.

import { readFileSync } from 'node:fs';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const oldest = engines.node.replace('>=', '');
const [major, minor] = process.versions.node.split('.').map(Number);
const [leastMajor, leastMinor] = oldest.split('.').map(Number);
if (major < leastMajor || (major === leastMajor && minor < leastMinor)) {
  console.error(`ringmaster: Node ${oldest} or newer is needed, and this is ${process.version} (${process.execPath})`);
  process.exitCode = 1;
} else {
  import('./lib/main.js');
}
