import t from 'tap';
import { OutputTail } from '../../lib/fleet/runtimes/last-words.ts';

const lastWords = (...pieces: string[]) => {
  const tail = new OutputTail();
  for (const piece of pieces) tail.add(piece);
  return tail.lastWords();
};

t.test('the last line, or the one that says what went wrong', async (t) => {
  t.equal(lastWords(), '');
  t.equal(lastWords('one\ntw', 'o\n\n'), 'two');
  t.equal(
    lastWords('node:internal/1\n    throw err;\n    ^\n\nError: no such file\n    at x (y:1:2)\n\nNode.js v26.0.0\n'),
    'Error: no such file',
  );
  t.equal(
    lastWords('Traceback:\n  File "x"\nModuleNotFoundError: No module named y\n'),
    'ModuleNotFoundError: No module named y',
  );
  t.equal(lastWords('panic: nil map\n\ngoroutine 1 [running]:\n'), 'panic: nil map');
});

t.test('the line that says what went wrong, and no other', async (t) => {
  const tail = new OutputTail();
  tail.add('listening on 3000\nGET / 200\n');
  t.equal(tail.fault(), '');
  tail.add('Error: boom\nbye\n');
  t.equal(tail.fault(), 'Error: boom');
});

t.test('the last lines, without those that are empty', async (t) => {
  const tail = new OutputTail();
  tail.add('one\n\ntwo\r\nth');
  tail.add('ree\n');
  t.same(tail.lastLines(2), ['two', 'three']);
  t.same(tail.lastLines(20), ['one', 'two', 'three']);
});

t.test('bounded, without what commands a terminal and without a password', async (t) => {
  t.equal(lastWords('x'.repeat(10_000)).length, 300);
  t.equal(lastWords('a\u001b[31mb\u0007c'), 'a [31mb c');
  t.equal(
    lastWords('Error: cannot reach redis://:secret@votes:6379/0, http://joe:pw@x/'),
    'Error: cannot reach redis://…@votes:6379/0, http://…@x/',
  );
});
