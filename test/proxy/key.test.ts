import t from 'tap';
import type { KeyFunction, KeyRequest } from '../../lib/core/request/key-source.ts';
import { hashText } from '../../lib/core/ring/hashes/text.ts';
import { keyReader } from '../../lib/proxy/keys/key-reader.ts';
import { keySources } from '../../lib/settings/lists/kinds.ts';

const request = {
  method: 'GET',
  url: '/cart/7?user=ann&x=&user=bob',
  httpVersionMajor: 1,
  httpVersionMinor: 1,
  rawHeaders: ['Host', 'a', 'x-tenant', 'acme', 'X-Tenant', 'other', 'Cookie', 'a=1; session=s3; b=2'],
};

const keyOf = (written: string, of = request) => {
  const sources = keySources.read(written);
  if (sources === undefined) throw new Error(written);
  return keyReader(sources)(of, '192.0.2.7').key;
};

t.test('each source gives its text, hashed; `request` gives none', async (t) => {
  t.equal(keyOf('request'), undefined);
  t.equal(keyOf('client'), hashText('192.0.2.7'));
  t.equal(keyOf('path'), hashText('/cart/7'));
  t.equal(keyOf('header:X-TENANT'), hashText('acme'));
  t.equal(keyOf('cookie:session'), hashText('s3'));
  t.equal(keyOf('query:user'), hashText('ann'));
});

t.test('a path is the same in absolute form, and a cookie is found in any Cookie field', async (t) => {
  t.equal(keyOf('path', { ...request, url: 'http://host/cart/7?x' }), hashText('/cart/7'));
  t.equal(keyOf('path', { ...request, url: 'http://host?x' }), hashText('/'));
  const rawHeaders = ['Cookie', 'a=1', 'cookie', 'session=s4'];
  t.equal(keyOf('cookie:session', { ...request, rawHeaders }), hashText('s4'));
});

t.test('an empty key is none: the next that is not empty decides', async (t) => {
  const rawHeaders = ['Cookie', 'session=; a= ; session=""; b=2', 'X-Tenant', '', 'cookie', 'session=;c=3; session=s5'];
  const empty = { ...request, rawHeaders };
  t.equal(keyOf('query:x'), undefined);
  t.equal(keyOf('query:x,client'), hashText('192.0.2.7'));
  t.equal(keyOf('cookie:a', empty), undefined, 'blanks are no value');
  t.equal(keyOf('header:x-tenant', empty), undefined);
  t.equal(keyOf('header:x-tenant,cookie:a,query:x,client', empty), hashText('192.0.2.7'));
  t.equal(keyOf('cookie:session', empty), hashText('s5'), 'another of that name may have one');
  t.equal(keyOf('query:user', { ...request, url: '/?user' }), undefined);
  t.equal(keyOf('query:user', { ...request, url: '/?user=&user=bob' }), hashText('bob'));
  t.equal(keyReader([{ type: 'client' }])(request, '').key, undefined);
});

t.test('the first source that the request has decides; the request id if it has none', async (t) => {
  t.equal(keyOf('cookie:none,header:x-tenant,client'), hashText('acme'));
  t.equal(keyOf('query:cart,cookie:sessio,header:none'), undefined);
  t.equal(keyOf('cookie:none,request'), undefined);
  t.throws(() => keyOf('cookie:none,request,client'), 'nothing comes after what every request has');
  t.equal(keyOf('query:user', { ...request, url: '/user=ann' }), undefined, 'a path is no query');
});

t.test('a part of the path, or what a path has where a pattern has {}', async (t) => {
  const of = (url: string) => ({ ...request, url });
  t.equal(keyOf('path:1'), hashText('cart'));
  t.equal(keyOf('path:2'), hashText('7'));
  t.equal(keyOf('path:3'), undefined);
  t.equal(keyOf('path:2', of('http://host/cart/7?user=ann')), hashText('7'));
  t.equal(keyOf('path:2', of('/cart//7')), undefined, 'an empty part is none');
  t.equal(keyOf('path:/cart/{}'), hashText('7'));
  t.equal(keyOf('path:/cart/{}', of('/cart/7/items')), hashText('7'), 'what follows does not matter');
  t.equal(keyOf('path:/carts/{}'), undefined);
});

t.test('a host is the same in any case, with a port and without, and in absolute form', async (t) => {
  const of = (host: string, url = '/') => ({ ...request, url, rawHeaders: host === '' ? [] : ['Host', host] });
  for (const host of ['app.example', 'App.Example', 'app.example:8080']) {
    t.equal(keyOf('host', of(host)), hashText('app.example'), host);
  }
  t.equal(keyOf('host', of('other', 'http://APP.example:80/x')), hashText('app.example'));
  t.equal(keyOf('host', of('[2001:DB8::1]:80')), hashText('[2001:db8::1]'));
  t.equal(keyOf('host', of('')), undefined);
});

t.test('joined with +, all must be there, and the place of each part counts', async (t) => {
  const tenant = (name: string, url: string) => ({ ...request, url, rawHeaders: ['x-tenant', name] });
  const key = (name: string, url: string) => keyOf('header:x-tenant+path:1', tenant(name, url));
  t.equal(key('a', '/bc'), hashText('1:a2:bc'));
  t.not(key('a', '/bc'), key('ab', '/c'));
  t.not(key('a1:b', '/c'), key('a', '/b1:c'));
  t.equal(key('a', '/'), undefined);
  t.equal(key('', '/b'), undefined);
  t.equal(keyOf('header:x-tenant+path:1,client', tenant('', '/b')), hashText('192.0.2.7'));
});

t.test('the finding names the source', async (t) => {
  const found = (written: string) => keyReader(keySources.read(written) ?? [])(request, '192.0.2.7').source;
  t.equal(found('cookie:none,header:x-tenant+path:1,client'), 'header:x-tenant+path:1');
  t.equal(found('cookie:none,path:/cart/{}'), 'path:/cart/{}');
  t.equal(found('cookie:none'), 'request');
  t.equal(found('request'), 'request');
});

t.test('a key function is told the request as its client sent it, and gives the text', async (t) => {
  const told: KeyRequest[] = [];
  const read = (key: KeyFunction, of = request) => {
    const own: KeyFunction = (asked) => {
      told.push(asked);
      return key(asked);
    };
    return keyReader([{ type: 'function' }], own)(of, '192.0.2.7').key;
  };
  t.equal(
    read(({ headers }) => headers['x-tenant']),
    hashText('acme, other'),
  );
  t.match(told[0], { method: 'GET', url: '/cart/7?user=ann&x=&user=bob', client: '192.0.2.7', headers: { host: 'a' } });
  t.equal(
    read(({ headers }) => headers.cookie, { ...request, rawHeaders: ['Cookie', 'a=1', 'cookie', 'b=2'] }),
    hashText('a=1; b=2'),
  );
  t.equal(
    read(({ url }) => url, { ...request, url: 'http://host/cart?x' }),
    hashText('/cart?x'),
  );
  t.equal(
    read(({ headers }) => `${headers.constructor}`, { ...request, rawHeaders: [] }),
    hashText('undefined'),
    'only fields',
  );
  for (const none of [undefined, null, '']) {
    t.equal(
      read(() => none),
      undefined,
    );
  }
});

t.test('what a key function does wrong is an error that says so', async (t) => {
  const read = (own: unknown) => keyReader([{ type: 'function' }], own as KeyFunction)(request, undefined);
  t.throws(() => read(() => 5), { code: 'internal', message: 'the key function returned a number, not a text' });
  t.throws(() => read(async () => 'a'), { message: 'the key function returned a promise, not a text' });
  const fail = () => {
    throw new Error('no cookie');
  };
  t.throws(() => read(fail), { code: 'internal', message: 'the key function threw: no cookie' });
});
