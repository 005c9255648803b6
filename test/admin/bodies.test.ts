import t from 'tap';
import { parseChange } from '../../lib/admin/bodies.ts';

const parse = (body: unknown) => parseChange(typeof body === 'string' ? body : JSON.stringify(body), 'too many');

t.test('a whole number and valid hostnames', async (t) => {
  t.same(parse({ n: 2, hostnames: ['S5', 'a.b_c-d'] }), { n: 2, hostnames: ['S5', 'a.b_c-d'], weights: [] });
  t.same(parse('{"n": 99999999999999999999}'), { n: 1e20, hostnames: [], weights: [] });
  t.same(parse({ n: 1 }), { n: 1, hostnames: [], weights: [] });
  t.same(parse('{"n": 3.0, "hostnames": [], "other": 1}'), { n: 3, hostnames: [], weights: [] });
});

const REFUSED: [string, unknown, RegExp][] = [
  ['no JSON', '{"n": 1', /not JSON/],
  ['an empty body', '', /not JSON/],
  ['a list', [1], /must be an object/],
  ['null', 'null', /must be an object/],
  ['n missing', { hostnames: ['a'] }, /n is missing/],
  ['n a text', { n: '3' }, /n must be a whole number from 1 up, not "3"/],
  ['n a fraction', { n: 1.5 }, /n must be .* not 1.5/],
  ['n zero', { n: 0 }, /n must be .* not 0/],
  ['n negative', { n: -1 }, /n must be .* not -1/],
  ['n null', { n: null }, /n must be .* not null/],
  ['n beyond all numbers', '{"n": 1e400}', /n must be .* not Infinity/],
  ['hostnames a text', { n: 1, hostnames: 'a' }, /hostnames must be a list, not "a"/],
  ['hostnames null', { n: 1, hostnames: null }, /hostnames must be a list, not null/],
  ['more hostnames than n', { n: 1, hostnames: ['a', 'b'] }, /^too many$/],
  ['an invalid hostname', { n: 2, hostnames: ['a', 'b c'] }, /hostnames\[1\] must be a letter or digit.*"b c"/],
  ['a hostname that is no text', { n: 1, hostnames: [7] }, /hostnames\[0\] must be .* not 7/],
  ['a hostname of 64 characters', { n: 1, hostnames: ['x'.repeat(64)] }, /hostnames\[0\] must be/],
  ['a hostname twice', { n: 2, hostnames: ['S1', 's1'] }, /hostnames\[1\] is the same as hostnames\[0\]/],
];

for (const [what, body, message] of REFUSED) {
  t.test(`refused: ${what}`, async (t) => {
    t.throws(() => parse(body), { code: 'bad-body', message });
  });
}
