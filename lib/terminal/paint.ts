// Colours, where they are wanted: on a terminal that has them, unless NO_COLOR says otherwise, and wherever FORCE_COLOR
// does (https://no-color.org, https://force-color.org). Node knows these rules.

import { styleText } from 'node:util';

export type Format = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan';

export type Paint = (format: Format, text: string) => string;

/** Paints what is written to that stream. */
export function paintFor(stream: NodeJS.WritableStream): Paint {
  return (format, text) => styleText(format, text, { stream });
}
