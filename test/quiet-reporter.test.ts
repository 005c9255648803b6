// What `npm test` shows where nobody watches: failures with all that tap knows of them, and no more of what passed.

import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t from 'tap';
import QuietReporter from './quiet-reporter.ts';

const shown = (tap: string, pieces = [tap]) => text(Readable.from(pieces).pipe(new QuietReporter()));

const FAILED = `TAP version 14
1..3
# Subtest: test/a.test.ts
    # Subtest: what passes
        ok 1 - should be equal
        1..1
    ok 1 - what passes # time=1.5ms
    1..1
    # time=2ms
ok 1 - test/a.test.ts # time=9ms

# Subtest: test/b.test.ts
    # Subtest: what fails
        ok 1 - should be equal
        not ok 2 - numbers
          ---
          diff: |
            -2
            not ok 7 - is part of what is known
          ...
        # a word of the test
        1..2
    not ok 1 - what fails # time=3ms
      ---
      source: |
        said already
      ...
    printed by the program
    ok 2 - not here # SKIP no Docker Engine
    not ok 3 - a failure beside
      ---
      at: b.test.ts
      ...
    1..3
not ok 2 - test/b.test.ts # time=10ms
  ---
  exitCode: 1
  ...

# Subtest: test/c.test.ts
    ok 1 - nor here # SKIP no Docker Engine
    not ok 2 - some day # TODO later
    # Subtest: has no time left
    not ok 3 - has no time left # time=30ms
      ---
      message: timeout!
      ...
    1..3
not ok 3 - test/c.test.ts # time=11ms
  ---
  signal: SIGTERM
  ...

# { total: 8, pass: 3, fail: 3, skip: 2 }
# time=40ms
`;

t.test('failures are shown with all that is known of them, once, and nothing that passed', async (t) => {
  const expected = `# test/b.test.ts > what fails
        not ok 2 - numbers
          ---
          diff: |
            -2
            not ok 7 - is part of what is known
          ...
# test/b.test.ts
    not ok 3 - a failure beside
      ---
      at: b.test.ts
      ...
not ok 2 - test/b.test.ts # time=10ms
# a word of the test
#     printed by the program
  ---
  exitCode: 1
  ...
# test/c.test.ts
    not ok 3 - has no time left # time=30ms
      ---
      message: timeout!
      ...
not ok 3 - test/c.test.ts # time=11ms
  ---
  signal: SIGTERM
  ...
# { total: 8, pass: 3, fail: 3, skip: 2 }
# time=40ms
# skipped 2: no Docker Engine
3 passed, 3 failed
`;
  t.equal(await shown(FAILED), expected);
  t.equal(await shown(FAILED, [...FAILED]), expected, 'in whatever pieces it comes');
});

t.test('a line of progress now and then, and the totals', async (t) => {
  const files = Array.from({ length: 45 }, (_, index) => `ok ${index + 1} - test/${index}.test.ts # time=1ms\n`);
  const output = await shown(`TAP version 14\n1..45\n${files.join('')}# { total: 45, pass: 45 }\n`);
  t.equal(
    output.replaceAll(/after [\d.]+ min/g, 'after a while'),
    '# 20 of 45 files after a while\n# 40 of 45 files after a while\n# { total: 45, pass: 45 }\n45 passed, 0 failed\n',
  );
});

t.test('a run that breaks off has shown what failed until then, and has no totals', async (t) => {
  const output = await shown(FAILED.slice(0, FAILED.indexOf('    printed by')));
  t.match(output, /^ +not ok 2 - numbers$/m);
  t.notMatch(output, 'passed');
  t.match(await shown('TAP version 14\nBail out! no more disk\n'), /^Bail out! no more disk$/m);
});
