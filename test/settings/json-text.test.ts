// JSON with comments: what is read, beside JSON.parse; what is refused, and where.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { type JsonNode, JsonTextError, parseJsonText } from '../../lib/settings/file/json-text.ts';
import { runSeed } from '../fixtures/random.ts';

const seed = runSeed();
t.comment(`seed ${seed}`);
const RUNS = { seed, numRuns: 1000 };

/** The value as JSON.parse gives it. */
function plain(node: JsonNode): unknown {
  if (node.type === 'scalar') return node.value;
  if (node.type === 'array') return node.items.map(plain);
  // Not Object.fromEntries alone: JSON.parse makes `__proto__` a plain member too.
  return Object.fromEntries(node.members.map(({ name, value }) => [name, plain(value)]));
}

const parsed = (text: string) => plain(parseJsonText(text));

function parsedOrError(parse: (text: string) => unknown, text: string): unknown {
  try {
    return { value: parse(text) };
  } catch {
    return 'refused';
  }
}

t.test('JSON is read as JSON.parse reads it', async () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      assert.deepEqual(parsed(text), JSON.parse(text));
    }),
    RUNS,
  );
});

t.test('spaces, comments and trailing commas change nothing', async () => {
  const filler = fc.constantFrom('', ' ', '\n', '\r\n', '\t', '// one " {\n', '/* two\n * } */', '/**/', '/*/ */');
  const trailing = fc.constantFrom('', ',');
  const text = (value: unknown, fill: () => string, comma: () => string): string => {
    const parts = (open: string, entries: readonly string[], close: string) =>
      `${open}${entries.join(',')}${entries.length > 0 ? comma() : ''}${fill()}${close}`;
    const inner = Array.isArray(value)
      ? parts(
          '[',
          value.map((one) => text(one, fill, comma)),
          ']',
        )
      : typeof value === 'object' && value !== null
        ? parts(
            '{',
            Object.entries(value).map(
              ([name, one]) => `${fill()}${JSON.stringify(name)}${fill()}:${text(one, fill, comma)}`,
            ),
            '}',
          )
        : JSON.stringify(value);
    return `${fill()}${inner}${fill()}`;
  };
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.gen(), (value, gen) => {
      const written = text(
        value,
        () => gen(() => filler),
        () => gen(() => trailing),
      );
      assert.deepEqual(parsed(written), JSON.parse(JSON.stringify(value)), written);
    }),
    RUNS,
  );
});

t.test('of texts without comments, just those are taken that JSON.parse takes', async () => {
  const piece = fc.constantFrom(
    ...['{', '}', '[', ']', ',', ':', '"', '"a"', '"b"', '\\', '\\u00e9', '"\\n"', '0', '-', '-0', '1', '.5', '1e5'],
    ...[
      '1E+',
      '01',
      'true',
      'null',
      'fals',
      'NaN',
      'Infinity',
      ' ',
      '\n',
      '\t',
      '\v',
      '\u00a0',
      "'",
      '\u0001',
      'é',
      '+1',
    ],
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
      const text = pieces.join('');
      // What only this reader takes, or only it refuses.
      if (/,\s*[\]}]/.test(text) || /"([ab])"[\s\S]*"\1"/.test(text)) return;
      assert.deepEqual(parsedOrError(parsed, text), parsedOrError(JSON.parse, text), text);
    }),
    { ...RUNS, numRuns: 20_000 },
  );
});

t.test('broken texts are refused, and never throw anything else', async () => {
  fc.assert(
    fc.property(fc.json(), fc.nat(), fc.string({ maxLength: 3 }), (text, at, inserted) => {
      const place = at % (text.length + 1);
      const broken = text.slice(0, place) + inserted + text.slice(place + 1);
      try {
        parseJsonText(broken);
      } catch (error) {
        assert(error instanceof JsonTextError);
      }
    }),
    RUNS,
  );
});

t.test('long texts are read', async () => {
  const text = JSON.stringify(['é\\n'.repeat(500_000), Array(50_000).fill({ a: 1.5 })]);
  assert.deepEqual(parsed(text), JSON.parse(text));
});

t.test('every value and every name has its place', async (t) => {
  const root = parseJsonText('\ufeff{\r\n  // é\n  "a": [1,\n    2],\n\t"b" : {} }');
  t.match(root, {
    at: { line: 1, column: 1 },
    members: [
      {
        name: 'a',
        at: { line: 3, column: 3 },
        value: { at: { line: 3, column: 8 }, items: [{ at: { line: 3, column: 9 } }, { at: { line: 4, column: 5 } }] },
      },
      { name: 'b', at: { line: 5, column: 2 }, value: { at: { line: 5, column: 8 } } },
    ],
  });
});

for (const [text, place, message] of [
  ['', '1:1', 'the file ends where a value should be'],
  ['{', '1:2', 'the file ends where a name in double quotes, or } should be'],
  ['{"a" 1}', '1:6', 'here should be a colon after "a", not 1'],
  ['{"a": 1\n "b": 2}', '2:2', 'here should be a comma or }, not "'],
  ['{a: 1}', '1:2', 'here should be a name in double quotes, or }, not a'],
  ["{'a': 1}", '1:2', "here should be a name in double quotes, or }, not '"],
  ['{"a": 1, "a": 2}', '1:10', '"a" is there twice, first at 1:2'],
  ['[,]', '1:2', 'here should be a value, not ,'],
  ['[1,,]', '1:4', 'here should be a value, not ,'],
  ['{"a": yes}', '1:7', 'here should be a value, not yes'],
  ['{"a": 30s}', '1:7', 'here should be a value, not 30s'],
  ['[01]', '1:2', 'here should be a value, not 01'],
  ['{} {}', '1:4', 'here should be the end of the file, not {'],
  ['{ /* a\n', '1:3', 'this comment has no end'],
  ['{"a": "b\n"}', '1:7', 'this text cannot be read: it has no closing quote on its line'],
  ['["\\x"]', '1:2', 'this text cannot be read: it has a control character, or an unknown \\ escape'],
  ['['.repeat(100), '1:66', 'it is nested more than 64 deep'],
] as const) {
  t.test(`refused: ${text.slice(0, 20)}`, async (t) => {
    try {
      parseJsonText(text);
      t.fail('it was taken');
    } catch (error) {
      const { message: said, at } = error as JsonTextError;
      t.equal(said, message);
      t.equal(`${at.line}:${at.column}`, place);
    }
  });
}
