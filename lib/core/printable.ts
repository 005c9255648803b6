// Texts from outside, for terminals: what a terminal would act on is written out. Pure.

// The attack: a request's target or a replica's last words hold escape sequences, which would move the cursor, rename
// the window or hide a line of the log (test/terminal/log-text.test.ts, test/fleet/replica-output.test.ts). The other
// ones reverse the direction of a text, so that it reads as something else.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that must not pass.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
// Colours and tabs may pass, and are matched first.
const COLOUR_OR_UNSAFE = new RegExp(`\\u001b\\[[\\d;:]{0,40}m|\\t|${UNSAFE.source}`, 'g');
const RESET = '\u001b[0m';

/** The text with what a terminal would act on written out. */
export function printable(text: string): string {
  return text.replaceAll(UNSAFE, writtenOut);
}

/** The same, but tabs stay, and colours, which end with the line. */
export function printableLine(line: string): string {
  const shown = line.replaceAll(COLOUR_OR_UNSAFE, (found) =>
    found.length > 1 || found === '\t' ? found : writtenOut(found),
  );
  return shown.includes('\u001b') ? shown + RESET : shown;
}

function writtenOut(unsafe: string): string {
  return `\\u${unsafe.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
