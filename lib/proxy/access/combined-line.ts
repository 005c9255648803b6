// Makes the lines of the access log in the combined form of Apache, which GoAccess, AWStats, fail2ban and many others
// read: `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"`.

import { type Entry, loggedFields, type Outcome } from './entry.ts';

/** A line in ASCII, with its newline. What comes from outside cannot end the line, nor a text in it. */
export function combinedLine({ request, client, sentBytes }: Entry, { status, nowMs }: Outcome): string {
  const { referer, userAgent } = loggedFields(request);
  const line =
    request === undefined
      ? '-'
      : `${safe(request.method)} ${safe(request.url)} HTTP/${request.httpVersionMajor}.${request.httpVersionMinor}`;
  return (
    `${word(client)} - - [${timeOfDay(nowMs)}] "${line}" ${status} ${sentBytes === 0 ? '-' : sentBytes} ` +
    `"${safe(referer)}" "${safe(userAgent)}"\n`
  );
}

const UNSAFE = /[^ !#-[\]-~]/;

// As nginx has it: each byte that could end the text or the line, or that is no ASCII, as \xHH.
function safe(text: string | undefined): string {
  if (text === undefined || text === '') return '-';
  return UNSAFE.test(text) ? text.replaceAll(/[^ !#-[\]-~]/g, written) : text;
}

// Stands without quotes, so a blank would end it.
function word(text: string): string {
  return safe(text).replaceAll(' ', '\\x20');
}

function written(unsafe: string): string {
  return `\\x${(unsafe.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

let second = Number.NaN;
let ofSecond = '';

function timeOfDay(nowMs: number): string {
  const nowS = Math.floor(nowMs / 1000);
  if (nowS !== second) {
    second = nowS;
    const [year, month, day] = new Date(nowMs).toISOString().split(/[-T]/) as [string, string, string];
    ofSecond = `${day}/${MONTHS[Number(month) - 1]}/${year}:${new Date(nowMs).toISOString().slice(11, 19)} +0000`;
  }
  return ofSecond;
}
