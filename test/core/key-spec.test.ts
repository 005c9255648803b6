import fc from 'fast-check';
import t from 'tap';
import { parseKeySpec, type SpecFault, writeKeySpec } from '../../lib/core/keys/key-spec.ts';
import { compilePattern, patternFault, segmentOf } from '../../lib/core/keys/path-pattern.ts';
import { classOf, goesByRequestId, type KeyPart, type KeySource } from '../../lib/core/request/key-source.ts';

function sourcesOf(text: string): readonly KeySource[] | undefined {
  const parsed = parseKeySpec(text);
  return 'sources' in parsed ? parsed.sources : undefined;
}

function faultOf(text: string): SpecFault | undefined {
  const parsed = parseKeySpec(text);
  return 'fault' in parsed ? parsed.fault : undefined;
}

t.test('a list of sources, some of them joined', async (t) => {
  t.same(sourcesOf('request'), [{ type: 'request' }]);
  t.same(sourcesOf('header:X-Tenant + path:2 , cookie:session,query:user,host,client'), [
    {
      type: 'all',
      parts: [
        { type: 'header', name: 'X-Tenant' },
        { type: 'segment', number: 2 },
      ],
    },
    { type: 'cookie', name: 'session' },
    { type: 'query', name: 'user' },
    { type: 'host' },
    { type: 'client' },
  ]);
  t.same(sourcesOf('path:/rooms/{}'), [{ type: 'pattern', path: '/rooms/{}' }]);
  t.same(sourcesOf('path'), [{ type: 'path' }]);
  t.same(sourcesOf('learn:cookie=sid,client'), [{ type: 'learn', name: 'sid' }, { type: 'client' }]);
  t.equal(writeKeySpec([{ type: 'learn', name: 'sid' }]), 'learn:cookie=sid');
  t.same(sourcesOf('json:metadata.user_id,prompt'), [
    { type: 'json', names: ['metadata', 'user_id'] },
    { type: 'prompt' },
  ]);
  t.same(sourcesOf('client+host,path'), [
    { type: 'all', parts: [{ type: 'client' }, { type: 'host' }] },
    { type: 'path' },
  ]);
});

const FAULTS: [text: string, at: number, entry: string, what: RegExp][] = [
  ['', 0, '', /there is nothing/],
  ['client,', 7, '', /nothing comes after client/],
  ['host,,client', 5, '', /there is nothing/],
  ['host, heder:x', 6, 'heder:x', /no such source/],
  ['request,client', 8, 'client', /nothing comes after request, which every request has/],
  ['client+path,host', 12, 'host', /nothing comes after client\+path/],
  ['header', 0, 'header', /followed by a name/],
  ['header:', 0, 'header:', /followed by a name/],
  ['cookie:a b', 0, 'cookie:a b', /followed by a name/],
  ['query:a=b', 0, 'query:a=b', /followed by a name/],
  ['host:x', 0, 'host:x', /host has nothing after it/],
  ['host+request', 5, 'request', /stands alone/],
  ['host + cookie:', 7, 'cookie:', /followed by a name/],
  ['host+', 5, '', /there is nothing/],
  ['path:0', 0, 'path:0', /number of a segment, 1 to 32/],
  ['path:33', 0, 'path:33', /number of a segment/],
  ['path:x', 0, 'path:x', /number of a segment/],
  ['host,path:/a/b', 5, 'path:/a/b', /has a \{\} for what it captures/],
  ['json', 0, 'json', /followed by names with dots/],
  ['json:', 0, 'json:', /followed by names with dots/],
  ['json:a..b', 0, 'json:a..b', /followed by names with dots/],
  ['json:a b', 0, 'json:a b', /followed by names with dots/],
  [`json:${Array(17).fill('a').join('.')}`, 0, `json:${Array(17).fill('a').join('.')}`, /at most 16 names/],
  ['prompt:x', 0, 'prompt:x', /prompt has nothing after it/],
  ['learn', 0, 'learn', /followed by cookie=NAME/],
  ['learn:cookie=', 0, 'learn:cookie=', /followed by cookie=NAME/],
  ['learn:header=x', 0, 'learn:header=x', /followed by cookie=NAME/],
  ['learn:cookie=a,learn:cookie=b', 15, 'learn:cookie=b', /there is one learn: at most/],
  ['host+learn:cookie=a', 5, 'learn:cookie=a', /learn stands alone/],
  ['path:/{}{}', 0, 'path:/{}{}', /a segment has at most one \{\}/],
  ['path:/a b/{}', 0, 'path:/a b/{}', /no blanks/],
  [Array(17).fill('host').join(), 80, 'host', /at most 16 sources/],
  [Array(9).fill('host').join('+'), 0, Array(9).fill('host').join('+'), /at most 8 parts/],
];
for (const [text, at, entry, what] of FAULTS) {
  t.test(`${JSON.stringify(text)} is no list of sources, and is told where`, async (t) => {
    t.match(faultOf(text), { at, entry, what });
    t.equal(text.slice(at, at + entry.length), entry);
  });
}

const PLAIN = { noNullPrototype: true };
const name = fc.stringMatching(/^[\w.:-]{1,12}$/);
const part: fc.Arbitrary<KeyPart> = fc.oneof(
  fc.constantFrom<KeyPart>({ type: 'client' }, { type: 'path' }, { type: 'host' }, { type: 'prompt' }),
  fc.record(
    { type: fc.constant('json'), names: fc.array(fc.stringMatching(/^\w{1,4}$/), { minLength: 1, maxLength: 4 }) },
    PLAIN,
  ),
  fc.record({ type: fc.constantFrom('header', 'cookie', 'query'), name }, PLAIN),
  fc.record({ type: fc.constant('segment'), number: fc.integer({ min: 1, max: 32 }) }, PLAIN),
  fc.record({ type: fc.constant('pattern'), path: fc.constantFrom('/rooms/{}', '/a/{}/b/{}.json') }, PLAIN),
);
const source: fc.Arbitrary<KeySource> = fc.oneof(
  part.filter(({ type }) => type !== 'client' && type !== 'path'),
  fc.record(
    {
      type: fc.constant('all'),
      parts: fc
        .array(part, { minLength: 2, maxLength: 8 })
        .map((parts) => [{ type: 'host' } as const, ...parts.slice(1)]),
    },
    PLAIN,
  ),
);

t.test('what is written is read again as it was, and any text is read or told where it is wrong', async (t) => {
  fc.assert(
    fc.property(fc.array(source, { minLength: 1, maxLength: 16 }), (sources) => {
      t.strictSame(sourcesOf(writeKeySpec(sources)), sources);
    }),
    { numRuns: 300 },
  );
  const pieces = fc.constantFrom('header', ':', 'x', ',', '+', 'path', '/', '{}', ' ', 'client', '7', 'json', '.');
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (written) => {
      const text = written.join('');
      const parsed = parseKeySpec(text);
      if ('sources' in parsed) t.strictSame(sourcesOf(writeKeySpec(parsed.sources)), parsed.sources);
      else t.equal(text.slice(parsed.fault.at, parsed.fault.at + parsed.fault.entry.length), parsed.fault.entry);
    }),
    { numRuns: 500 },
  );
  t.equal(writeKeySpec([{ type: 'function' }]), 'function');
});

t.test('a pattern captures what stands at its {}', async (t) => {
  const captured = (pattern: string, path: string) => compilePattern(pattern)(path);
  t.equal(captured('/rooms/{}', '/rooms/7'), '7');
  t.equal(captured('/rooms/{}', '/rooms/7/events/'), '7');
  t.equal(captured('/rooms/{}/', '/rooms/7'), '7', 'a slash at its end says nothing');
  t.equal(captured('/api/{}/items', '/api/acme/items/3'), 'acme');
  t.equal(captured('/api/{}/items', '/api/acme/item'), undefined);
  t.equal(captured('/api/{}/items', '/api/acme/itemss'), undefined);
  t.equal(captured('/api/{}/items', '/api/acme'), undefined);
  t.equal(captured('/rooms/{}', '/rooms/'), undefined);
  t.equal(captured('/rooms/{}', '/rooms'), undefined);
  t.equal(captured('/rooms/{}', '*'), undefined);
  t.equal(captured('/{}/x/{}', '/a/x/b'), 'a/b');
  t.equal(captured('/@{}', '/@ann/posts'), 'ann');
  t.equal(captured('/@{}', '/ann'), undefined);
  t.equal(captured('/{}.json', '/a.b.json'), 'a.b');
  t.equal(captured('/{}.json', '/.json'), undefined);
  t.equal(captured('/aba{}aba', '/abaaba'), undefined);
  t.equal(captured('/aba{}aba', '/ababa'), undefined, 'before and after do not share a character');
  t.equal(patternFault('rooms/{}'), 'a pattern begins with /');
  t.match(patternFault(`${'/a'.repeat(32)}/{}`), /at most 32 segments/);
  t.equal(patternFault(`${'/a'.repeat(31)}/{}`), undefined);
});

t.test('a pattern and the segments of a path agree', async (t) => {
  const segment = fc.constantFrom('', 'a', 'b', 'ab', 'a-b');
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), fc.nat(4), (segments, hole) => {
      const path = `/${segments.join('/')}`;
      const expected = segments[hole] || undefined;
      t.equal(segmentOf(path, hole + 1), expected, path);
      const before = segments.slice(0, hole);
      if (hole >= segments.length) return;
      t.equal(compilePattern(`/${[...before, '{}'].join('/')}`)(path), expected, path);
    }),
    { numRuns: 300 },
  );
});

t.test('what keys are counted as, and whether there are any', async (t) => {
  const classes = (text: string) =>
    (sourcesOf(text) ?? []).map((one) => (one.type === 'request' ? undefined : classOf(one)));
  t.same(classes('path:1,path:/a/{},host+path:1,learn:cookie=a,prompt,json:a,request'), [
    ...['path', 'path', 'joined', 'learn', 'prompt', 'json', undefined],
  ]);
  t.ok(goesByRequestId(sourcesOf('request') ?? []));
  t.notOk(goesByRequestId(sourcesOf('host,request') ?? []));
  t.notOk(goesByRequestId([]));
});
