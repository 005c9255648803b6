import t from 'tap';
import { parseChange, parseQuestion } from '../../lib/admin/bodies.ts';

const parse = (body: unknown) => parseChange(typeof body === 'string' ? body : JSON.stringify(body), 'too many');

t.test('a whole number and valid hostnames', async (t) => {
  t.same(parse({ n: 2, hostnames: ['S5', 'a.b_c-d'] }), {
    n: 2,
    hostnames: ['S5', 'a.b_c-d'],
    weights: [],
    addresses: [],
  });
  t.same(parse('{"n": 99999999999999999999}'), { n: 1e20, hostnames: [], weights: [], addresses: [] });
  t.same(parse({ n: 1 }), { n: 1, hostnames: [], weights: [], addresses: [] });
  t.same(parse({ n: 3, hostnames: ['a'], weights: [2, 16] }), {
    n: 3,
    hostnames: ['a'],
    weights: [2, 16],
    addresses: [],
  });
  t.same(parse('{"n": 3.0, "hostnames": [], "other": 1}'), { n: 3, hostnames: [], weights: [], addresses: [] });
});

t.test('addresses, and the names of those that have no other', async (t) => {
  const body = { n: 4, hostnames: ['app4'], addresses: ['127.0.0.1:3004', '[::1]:3005', 'unix:/run/a.sock'] };
  t.same(parse(body), {
    n: 4,
    hostnames: ['app4', '[::1]:3005', 'unix:/run/a.sock'],
    weights: [],
    addresses: [
      { type: 'tcp', host: '127.0.0.1', port: 3004 },
      { type: 'tcp', host: '::1', port: 3005 },
      { type: 'unix', path: '/run/a.sock' },
    ],
  });
  t.same(parse({ n: 1, hostnames: ['127.0.0.1:3004'] }).hostnames, ['127.0.0.1:3004'], 'as /rm names such a one');
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
  ['addresses a text', { n: 1, addresses: 'a:1' }, /addresses must be a list, not "a:1"/],
  ['more addresses than n', { n: 1, addresses: ['a:1', 'b:1'] }, /addresses must be at most n, 1, not 2/],
  ['an address without a port', { n: 1, addresses: ['a'] }, /addresses\[0\] must be host:port or unix:\/path, not "a"/],
  ['an address that is no text', { n: 1, addresses: [80] }, /addresses\[0\] must be .* not 80/],
  ['a line break in an address', { n: 1, addresses: ['unix:/a\r\nSet-Cookie: a'] }, /addresses\[0\] must be/],
  [
    'an address twice, in another case',
    { n: 2, addresses: ['a:1', 'A:1'] },
    /addresses\[1\] is the same as addresses\[0\]/,
  ],
  ['an address twice', { n: 2, addresses: ['a:1', 'a:01'] }, /addresses\[1\] is the same as addresses\[0\]/],
  [
    'an address that is the name of another',
    { n: 2, hostnames: ['b:1'], addresses: ['a:1', 'b:1'] },
    /addresses\[1\] is the same as hostnames\[0\]: b:1/,
  ],
  ['a hostname twice', { n: 2, hostnames: ['S1', 's1'] }, /hostnames\[1\] is the same as hostnames\[0\]/],
  ['weights a number', { n: 1, weights: 2 }, /weights must be a list, not 2/],
  ['more weights than n', { n: 1, weights: [1, 1] }, /weights must be at most n, 1, not 2/],
  ['a weight of 0', { n: 1, weights: [0] }, /weights\[0\] must be a whole number from 1 to 16, not 0/],
  ['a weight of 17', { n: 2, weights: [1, 17] }, /weights\[1\] must be .* not 17/],
  ['half a weight', { n: 1, weights: [1.5] }, /weights\[0\] must be .* not 1.5/],
];

for (const [what, body, message] of REFUSED) {
  t.test(`refused: ${what}`, async (t) => {
    t.throws(() => parse(body), { code: 'bad-body', message });
  });
}

t.test('what is asked costs a few steps for each name, and is refused by its number alone', async (t) => {
  const names = Array.from({ length: 11_111 }, (_, index) => `n${index}`);
  const lower = String.prototype.toLowerCase;
  let steps = 0;
  String.prototype.toLowerCase = function (this: string) {
    steps += 1;
    return lower.call(this);
  };
  try {
    parse({ n: names.length, hostnames: names });
    t.ok(steps <= 4 * names.length, `${steps} steps`);
    steps = 0;
    const refuse = (n: number) => {
      throw new Error(`not ${n}`);
    };
    const body = JSON.stringify({ n: names.length, hostnames: names });
    t.throws(() => parseChange(body, 'too many', refuse), { message: 'not 11111' });
    t.equal(steps, 0);
  } finally {
    String.prototype.toLowerCase = lower;
  }
});

t.test('what is refused is shown by its start', async (t) => {
  const message = (body: unknown) => {
    try {
      return String(parse(body));
    } catch (error) {
      return (error as Error).message;
    }
  };
  for (const body of [{ n: 'x'.repeat(60_000) }, { n: 1, hostnames: ['x'.repeat(60_000)] }]) {
    t.ok(message(body).length < 300);
    t.match(message(body), /not "x{99}…$/);
  }
});

const ask = (body: unknown) => parseQuestion(JSON.stringify(body));

t.test('a question is a request id, a key, or a request', async (t) => {
  t.same(ask({ requestId: 123_456 }), { type: 'key', key: 123_456 });
  t.same(ask({ key: 'alice' }), { type: 'key', key: 'alice' });
  t.same(ask({ key: 4_294_967_295 }), { type: 'key', key: 4_294_967_295 });
  t.same(ask({ method: 'POST', path: '/a?b=c', headers: { Cookie: 'id=7' }, client: '192.0.2.1' }), {
    type: 'request',
    method: 'POST',
    path: '/a?b=c',
    rawHeaders: ['Cookie', 'id=7'],
    client: '192.0.2.1',
    body: '',
  });
  t.same(ask({}), { type: 'request', method: 'GET', path: '/', rawHeaders: [], client: undefined, body: '' });
  t.match(ask({ body: '{"user": "ann"}' }), { body: '{"user": "ann"}' });
  t.match(ask({ body: { user: 'ann' } }), { body: '{"user":"ann"}' }, 'or the JSON itself');
});

const NO_QUESTIONS: [string, unknown, RegExp][] = [
  ['a list', [], /must be an object like/],
  ['a request id of five digits', { requestId: 99_999 }, /requestId must be .* from 100000 to 999999, not 99999/],
  ['a request id as text', { requestId: '123456' }, /requestId must be .* not "123456"/],
  ['a negative key', { key: -1 }, /key must be .* not -1/],
  ['a key beyond 32 bits', { key: 2 ** 32 }, /key must be .* not 4294967296/],
  ['a key that is a list', { key: [] }, /key must be .* not \[\]/],
  ['a path without its slash', { path: 'home' }, /path must begin with \/, not "home"/],
  ['a method that is a number', { method: 1 }, /method must be a text, not 1/],
  ['headers that are a list', { headers: [] }, /headers must be an object, not \[\]/],
  ['a header that is a number', { headers: { a: 1 } }, /headers\["a"\] must be a text, not 1/],
  ['a client that is a number', { client: 1 }, /client must be an address, not 1/],
];

for (const [what, body, message] of NO_QUESTIONS) {
  t.test(`no question: ${what}`, async (t) => {
    t.throws(() => ask(body), { code: 'bad-body', message });
  });
}
