// Whether two balancers send a key to the same replica.

import { createHash } from 'node:crypto';
import t from 'tap';
import { type Digest, disagreements, pairDigest, readDigest } from '../../lib/core/members/agreement.ts';
import { HASH_NAMES, type HashName, hashPair } from '../../lib/core/ring/hashes/table.ts';

const OWN: Digest = { ring: '0123456789abcdef', options: { key: 'client', slots: '512' } };

t.test('those who agree have nothing to say; each difference is named', async (t) => {
  t.same(disagreements(OWN, structuredClone(OWN)), []);
  t.same(disagreements(OWN, { ...OWN, options: { slots: '512', key: 'client' } }), [], 'in any order');
  t.same(disagreements(OWN, { ring: 'f'.repeat(16), options: { key: '', more: '1' } }), [
    '--key is client here and empty there',
    '--slots is 512 here and unknown there',
    '--more is unknown here and 1 there',
    'its ring has the digest ffffffffffffffff, and this one 0123456789abcdef',
  ]);
});

t.test('what a peer answers is read, or is no digest', async (t) => {
  t.same(readDigest(JSON.stringify({ ...OWN, more: 1 })), OWN);
  const bad = [
    ...['', '{', 'null', '5', '{}', '{"ring":5}', '{"ring":"x"}'],
    JSON.stringify({ ring: OWN.ring }),
    JSON.stringify({ ring: OWN.ring, options: null }),
    JSON.stringify({ ring: OWN.ring, options: { key: 5 } }),
    JSON.stringify({ ring: OWN.ring, options: { 'Key\n': 'a' } }),
    JSON.stringify({ ring: OWN.ring, options: { key: 'a'.repeat(4097) } }),
    JSON.stringify({ ring: OWN.ring, options: Object.fromEntries(many()) }),
  ];
  for (const text of bad) t.equal(readDigest(text), undefined, text.slice(0, 60));
});

function many(): [string, string][] {
  return Array.from({ length: 65 }, (_, index) => ['a'.repeat((index % 40) + 1) + (index < 40 ? '' : '-'), '']);
}

t.test('pairs that have keys in other slots have other digests', async (t) => {
  const pairOf = (name: HashName) =>
    hashPair(name, 512, 9, (algorithm, text) => createHash(algorithm).update(text).digest());
  const digests = HASH_NAMES.map((name) => pairDigest(pairOf(name), 512));
  t.equal(new Set(digests).size, HASH_NAMES.length);
  for (const digest of digests) t.match(digest, /^[\da-f]{8}$/);
  t.equal(pairDigest(pairOf('even'), 512), digests[0]);
});
