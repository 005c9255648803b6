// Computes the number that a request asks the ring with. `--key` is a list of sources: the first one that the request
// has decides. A request that has none of them goes by its request id.

import { BY_ID, type KeyFinding } from '../../core/request/key-finding.ts';
import type { KeyFunction, KeySource } from '../../core/request/key-source.ts';
import { writeKeySource } from '../../core/request/key-spec.ts';
import { hashText } from '../../core/ring/hashes/text.ts';
import { headText, type KeyedRequest, type TextReader } from './head-texts.ts';
import { functionText } from './key-function.ts';

export type KeyReader = (request: KeyedRequest, clientAddress: string | undefined) => KeyFinding;

/** @param own what the source `function` stands for. */
export function keyReader(sources: readonly KeySource[], own?: KeyFunction): KeyReader {
  const readers = sources
    .filter(({ type }) => type !== 'request')
    .map((source) => ({ source: writeKeySource(source), text: textReader(source, own) }));
  if (readers.length === 0) return () => BY_ID;
  return (request, clientAddress) => {
    for (const { source, text } of readers) {
      const found = text(request, clientAddress);
      if (found !== undefined && found !== '') return { key: hashText(found), source };
    }
    return BY_ID;
  };
}

function textReader(source: KeySource, own: KeyFunction | undefined): TextReader {
  switch (source.type) {
    case 'request':
      return () => undefined;
    case 'function':
      return own === undefined ? () => undefined : functionText(own);
    case 'all':
      return joinedText(source.parts.map(headText));
    default:
      return headText(source);
  }
}

// The length before each part keeps `a` and `bc` apart from `ab` and `c`, whatever is in them.
function joinedText(parts: readonly TextReader[]): TextReader {
  return (request, clientAddress) => {
    let joined = '';
    for (const part of parts) {
      const text = part(request, clientAddress);
      if (text === undefined || text === '') return undefined;
      joined += `${text.length}:${text}`;
    }
    return joined;
  };
}
