import t from 'tap';
import { addressText, foldedAddress, parseAddress } from '../../lib/core/address.ts';
import type { Address } from '../../lib/core/ports.ts';

t.test('an address is read and written as people write it', async (t) => {
  for (const [written, address] of [
    ['localhost:81', { type: 'tcp', host: 'localhost', port: 81 }],
    ['[::1]:82', { type: 'tcp', host: '::1', port: 82 }],
    ['10.0.0.7:65535', { type: 'tcp', host: '10.0.0.7', port: 65_535 }],
    ['unix:/run/my app.sock', { type: 'unix', path: '/run/my app.sock' }],
  ] as const) {
    t.same(parseAddress(written), address);
    t.equal(addressText(address), written);
  }
  t.same(parseAddress('a:080'), { type: 'tcp', host: 'a', port: 80 });
});

t.test('what is none', async (t) => {
  for (const written of ['', 'a', ':80', 'a:0', 'a:65536', 'a:1:2', '::1:80', 'http://a:80', 'unix:a', 'a b:1']) {
    t.equal(parseAddress(written), undefined, written);
  }
  t.equal(parseAddress(`unix:/${'x'.repeat(107)}`), undefined, 'longer than a socket address has room for');
  t.equal(parseAddress(`${'x'.repeat(254)}:1`), undefined, 'longer than a name can be');
});

t.test('no character that ends a line, also none whose low byte does where a field is written', async (t) => {
  for (const character of ['\n', '\r', '\u0000', '\u010a', '\u{4e0d}', 'é', '\u007f']) {
    t.equal(parseAddress(`unix:/a${character}b`), undefined);
    t.equal(parseAddress(`a${character}b:80`), undefined);
    t.equal(parseAddress(`a:80${character}`), undefined);
  }
});

t.test('addresses are the same without regard to case, as hostnames are', async (t) => {
  const folded = (written: string) => foldedAddress(parseAddress(written) as Address);
  t.equal(folded('App:080'), folded('app:80'));
  t.not(folded('app:80'), folded('app:81'));
});
