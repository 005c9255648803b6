import fc from 'fast-check';
import t from 'tap';
import { fieldOf, MOST_TEXT_BYTES } from '../../lib/core/json/field.ts';
import { JsonScanner, type ScanState } from '../../lib/core/json/scanner.ts';

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

// As texts of a body are given: a character for each byte of the UTF-8.
function onWire(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The pieces between these places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)).sort((one, other) => one - other), bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

function stateAfter(pieces: readonly Uint8Array[]): ScanState {
  const scanner = new JsonScanner({ mostBytes: 0 });
  for (const piece of pieces) scanner.feed(piece, () => false);
  return scanner.state;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function field(body: string, written: string): string {
  return fieldOf([bytesOf(body)], written.split('.'));
}

t.test('a value is found by the names that lead to it', async (t) => {
  const body =
    '{"a": {"skip": [{"b": 0}], "b": "text", "n": -1.50e+3, "t": true, "f": false}, "list": [0, {"x": "y"}]}';
  t.equal(field(body, 'a.b'), 'text');
  t.equal(field(body, 'a.n'), '-1.50e+3', 'a number as it is written');
  t.equal(field(body, 'a.t'), 'true');
  t.equal(field(body, 'a.f'), 'false');
  t.equal(field(body, 'list.0'), '0');
  t.equal(field(body, 'list.1.x'), 'y');
  t.equal(field('[[], ["a"]]', '1.0'), 'a');
});

t.test('what is no text, number, true or false is none', async (t) => {
  for (const body of ['{}', '{"a":null}', '{"a":""}', '{"a":{"b":1}}', '{"a":[1]}', '{"b":{"a":1}}', '1', '"a"', '']) {
    t.equal(field(body, 'a'), '', body);
  }
  t.equal(field('{"a": 5}', 'a.b'), '');
  t.equal(field('{"a": "x"}', 'a.0'), '');
});

t.test('of a member that comes twice the first counts that is not null', async (t) => {
  t.equal(field('{"a":1,"a":2}', 'a'), '1');
  t.equal(field('{"a":null,"a":2}', 'a'), '2');
  t.equal(field('{"a":{},"a":{"b":2}}', 'a.b'), '');
  t.equal(field('{"a":"x","a":{"b":2}}', 'a.b'), '');
});

t.test('a long text is told by its first bytes, before its end has come', async (t) => {
  const long = 'x'.repeat(3 * MOST_TEXT_BYTES);
  t.equal(field(`{"a":"${long}"}`, 'a'), long.slice(0, MOST_TEXT_BYTES));
  t.equal(field(`{"a":"${long}`, 'a'), long.slice(0, MOST_TEXT_BYTES));
  t.equal(field(`{"a":"${'x'.repeat(MOST_TEXT_BYTES - 1)}`, 'a'), '', 'less than that may go on');
  t.equal(field(`{"a":"${'\\u00e9'.repeat(2000)}`, 'a'), onWire('é'.repeat(MOST_TEXT_BYTES / 2)));
  t.equal(field(`{"${long}":1,"a":2}`, 'a'), '2');
  t.equal(field(`{"${long}":1}`, long), '', 'a name that nobody asks for is not kept');
  t.equal(field(`{"a":${'9'.repeat(100)}}`, 'a'), '9'.repeat(64));
  t.equal(field(`{"a":${'9'.repeat(100)}`, 'a'), '', 'a number may go on until something else comes');
});

t.test('half a pair of surrogates is replaced, as whoever writes UTF-8 does', async (t) => {
  for (const text of [
    '\\ud83d\\ude00',
    '\\ud83d',
    '\\ud83dx',
    '\\ude00',
    '\\ud83d\\n',
    '\\ud83d\\ud83d\\ude00',
    '\\ud83d\\u0041',
  ]) {
    t.equal(field(`{"a":"${text}"}`, 'a'), onWire(JSON.parse(`"${text}"`)), text);
  }
});

t.test('whatever breaks the rules ends the scan, and what was found before counts', async (t) => {
  t.equal(field('{"a":1,]', 'a'), '1');
  t.equal(field('{"b":1,],"a":1}', 'a'), '');
  t.equal(stateAfter([bytesOf('['.repeat(512))]), 'open');
  t.equal(stateAfter([bytesOf('['.repeat(513))]), 'broken', 'too deep');
  t.equal(stateAfter([bytesOf(`[--${'9'.repeat(65)}]`)]), 'broken');
  t.equal(stateAfter([bytesOf(`[${'9'.repeat(65)}]`)]), 'whole');
  for (const broken of [
    '{"a":tru}',
    '{"a":01}',
    '{"a":1.}',
    '{"a":"\\x"}',
    '{"a":"\\u00g0"}',
    '{"a":"\n"}',
    '{a:1}',
    '{"a" 1}',
    '{,}',
    '[1,]',
    '[1 2]',
    '{"a":1}x',
    '?',
  ]) {
    t.equal(stateAfter([bytesOf(`${broken}\n`)]), 'broken', broken);
  }
});

const pieces = fc.array(fc.nat(), { maxLength: 5 });

t.test('it takes for JSON what JSON.parse does, however it is cut', async (t) => {
  const change = fc.record({
    at: fc.nat(),
    length: fc.nat(2),
    put: fc.constantFrom('', '"', '\\', ',', ':', '}', ']', '[', '{', '0', '-', '.', 'e', 'u', ' ', 'null', '\n'),
  });
  fc.assert(
    fc.property(
      fc.json({ stringUnit: 'binary', maxDepth: 4 }),
      fc.array(change, { maxLength: 2 }),
      pieces,
      (json, changes, places) => {
        let text = json;
        for (const { at, length, put } of changes) {
          const from = at % (text.length + 1);
          text = `${text.slice(0, from)}${put}${text.slice(from + length)}`;
        }
        // A number at the end ends with the blank.
        const state = stateAfter(cut(bytesOf(`${text} `), places));
        if ((state === 'whole') !== isJson(text)) t.fail(`${state}: ${JSON.stringify(text)}`);
      },
    ),
    { numRuns: 3000 },
  );
});

t.test('a field is what JSON.parse finds, however the body is cut', async (t) => {
  fc.assert(
    fc.property(
      fc.json({ stringUnit: 'binary', maxDepth: 4 }),
      fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
      pieces,
      (json, choices, places) => {
        const names: string[] = [];
        let value: unknown = JSON.parse(json);
        for (const choice of choices) {
          if (typeof value !== 'object' || value === null) break;
          const all = Object.keys(value);
          const name = all[choice % Math.max(1, all.length)];
          if (name === undefined) break;
          names.push(name);
          value = (value as Record<string, unknown>)[name];
        }
        const isScalar = typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number';
        // JSON.stringify writes a number as it is read.
        const expected = isScalar ? onWire(typeof value === 'number' ? JSON.stringify(value) : String(value)) : '';
        const found = fieldOf(cut(bytesOf(`${JSON.stringify(JSON.parse(json))} `), places), names.map(onWire));
        if (found !== expected.slice(0, MOST_TEXT_BYTES)) t.fail(`${found} is not ${expected} of ${names}: ${json}`);
      },
    ),
    { numRuns: 3000 },
  );
});

t.test('any bytes at all are taken without a word', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), pieces, (bytes, places) => {
      t.match(stateAfter(cut(bytes, places)), /^(open|whole|broken)$/);
      t.type(fieldOf(cut(bytes, places), ['a']), 'string');
    }),
    { numRuns: 500 },
  );
});
