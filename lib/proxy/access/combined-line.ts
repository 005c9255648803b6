// Writes lines of the access log in the combined form of Apache, which GoAccess, AWStats, fail2ban and many others
// read: `%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-agent}i"`.

import { type Entry, loggedFields, type Outcome } from './entry.ts';
import { change, fixed, type LineBytes } from './line-bytes.ts';

/**
 * A line in ASCII, with its newline. What could end a text or a line is written as nginx does it: `\xHH`
 * (test/proxy/access-lines.test.ts).
 */
export function writeCombined(line: LineBytes, entry: Entry, { status, nowMs }: Outcome): void {
  const { request, client, sentBytes } = entry;
  const { referer, userAgent } = loggedFields(request);
  line.begin();
  // It stands without quotes, so a blank would end it.
  line.plainText(client.includes(' ') ? client.replaceAll(' ', '_') : client);
  line.fixed(IDENTITIES);
  writeTime(line, nowMs);
  line.fixed(REQUEST);
  if (request === undefined) line.fixed(NONE);
  else {
    text(line, request.method);
    line.fixed(BLANK);
    text(line, request.url);
    line.fixed(request.httpVersionMajor !== 1 ? HTTP_OTHER : request.httpVersionMinor === 1 ? HTTP_1_1 : HTTP_1_0);
  }
  line.fixed(QUOTE_BLANK);
  line.integer(status);
  line.fixed(BLANK);
  if (sentBytes === 0) line.fixed(NONE);
  else line.integer(sentBytes);
  line.fixed(REFERER);
  text(line, referer);
  line.fixed(USER_AGENT);
  text(line, userAgent);
  line.fixed(END);
}

const IDENTITIES = fixed(' - - [');
const REQUEST = fixed(' +0000] "');
const HTTP_1_1 = fixed(' HTTP/1.1');
const HTTP_1_0 = fixed(' HTTP/1.0');
const HTTP_OTHER = fixed(' HTTP/0.0');
const QUOTE_BLANK = fixed('" ');
const REFERER = fixed(' "');
const USER_AGENT = fixed('" "');
const END = fixed('"\n');
const BLANK = fixed(' ');
const NONE = fixed('-');

function text(line: LineBytes, value: string | undefined): void {
  if (value === undefined || value === '') line.fixed(NONE);
  else line.plainText(value);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

let second = Number.NaN;
const OF_SECOND = fixed('00/Jan/0000:00:00:00');

function writeTime(line: LineBytes, nowMs: number): void {
  const nowS = Math.floor(nowMs / 1000);
  if (nowS !== second) {
    second = nowS;
    const [year, month, day, time] = new Date(nowMs).toISOString().split(/[-T.]/);
    change(OF_SECOND, `${day}/${MONTHS[Number(month) - 1]}/${year}:${time}`);
  }
  line.fixed(OF_SECOND);
}
