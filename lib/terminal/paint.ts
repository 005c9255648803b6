// Colours, where they are wanted: on a terminal that has them, unless NO_COLOR says otherwise, and wherever FORCE_COLOR
// does (https://no-color.org, https://force-color.org). Node knows these rules.

import { styleText } from 'node:util';

export type Format = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan';

export type Paint = (format: Format, text: string) => string;

/** Paints what is written to that stream. */
export function paintFor(stream: NodeJS.WritableStream): Paint {
  return (format, text) => styleText(format, text, { stream });
}

// The attack: a request's target or a replica's last words hold escape sequences, which would move the cursor, rename
// the window or hide a line of the log (test/terminal/log-text.test.ts). The other ones reverse the direction of a
// text, so that it reads as something else.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not pass.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The text with what a terminal would act on written out. */
export function shown(text: string): string {
  return text.replaceAll(UNSAFE, (unsafe) => `\\u${unsafe.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
