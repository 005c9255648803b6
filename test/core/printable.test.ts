import t from 'tap';
import { printable, printableLine } from '../../lib/core/printable.ts';

t.test('what a terminal would act on is written out', async (t) => {
  t.equal(printable('plain ä 名 text'), 'plain ä 名 text');
  t.equal(printable('a\u001b[2Jb\tc\r\n\u202e'), 'a\\u001b[2Jb\\u0009c\\u000d\\u000a\\u202e');
});

t.test('of a line colours and tabs may stay, and colours end with it', async (t) => {
  t.equal(printableLine('a\tb'), 'a\tb');
  t.equal(printableLine('\u001b[31mred'), '\u001b[31mred\u001b[0m');
  t.equal(printableLine('\u001b[2Jgone\u0007'), '\\u001b[2Jgone\\u0007');
});
