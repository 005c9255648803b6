// Computes the number that a request asks the ring with. `--key` is a list of sources: the first one that the request
// has decides. A request that has none of them goes by its request id.

import { BY_ID, type KeyFinding } from '../../core/keys/key-finding.ts';
import { writeKeySource } from '../../core/keys/key-spec.ts';
import {
  classOf,
  type KeyClass,
  type KeyFunction,
  type KeyPart,
  type KeySource,
} from '../../core/request/key-source.ts';
import { hashText } from '../../core/ring/hashes/text.ts';
import { jsonText, promptText } from './body-texts.ts';
import { headText, IN_BODY, type KeyedRequest, type TextReader } from './head-texts.ts';
import { functionText } from './key-function.ts';

export type KeyReader = (request: KeyedRequest, clientAddress: string | undefined) => KeyFinding;

/** @param own what the source `function` stands for. */
export function keyReader(sources: readonly KeySource[], own?: KeyFunction): KeyReader {
  const readers = sources
    .filter((source) => source.type !== 'request')
    .map((source) => ({
      source: writeKeySource(source),
      keyClass: classOf(source),
      text: textReader(source, own),
    }));
  if (readers.length === 0) return () => BY_ID;
  return (request, clientAddress) => findIn(readers, 0, request, clientAddress, undefined);
}

interface SourceReader {
  /** As `--key` has it. */
  readonly source: string;
  readonly keyClass: KeyClass;
  readonly text: TextReader;
}

function findIn(
  readers: readonly SourceReader[],
  from: number,
  request: KeyedRequest,
  clientAddress: string | undefined,
  body: readonly Uint8Array[] | undefined,
): KeyFinding {
  for (let at = from; at < readers.length; at++) {
    const { source, keyClass, text } = readers[at] as SourceReader;
    const found = text(request, clientAddress, body);
    if (found === IN_BODY) {
      return { ...BY_ID, further: (bytes) => findIn(readers, at, request, clientAddress, bytes) };
    }
    if (found === undefined || found === '') continue;
    const finding = { key: hashText(found), source, keyClass };
    return keyClass === 'learn' ? { ...finding, learned: found } : finding;
  }
  return BY_ID;
}

type TextSource = Exclude<KeySource, { readonly type: 'request' }>;

function textReader(source: TextSource, own: KeyFunction | undefined): TextReader {
  switch (source.type) {
    case 'function':
      return own === undefined ? () => undefined : functionText(own);
    case 'learn':
      return headText({ type: 'cookie', name: source.name });
    case 'all':
      return joinedText(source.parts.map(partText));
    default:
      return partText(source);
  }
}

function partText(part: KeyPart): TextReader {
  if (part.type === 'json') return jsonText(part.names);
  return part.type === 'prompt' ? promptText : headText(part);
}

// The length before each part keeps `a` and `bc` apart from `ab` and `c`, whatever is in them.
function joinedText(parts: readonly TextReader[]): TextReader {
  return (request, clientAddress, body) => {
    let joined = '';
    let isInBody = false;
    for (const part of parts) {
      const text = part(request, clientAddress, body);
      if (text === undefined || text === '') return undefined;
      if (text === IN_BODY) isInBody = true;
      else joined += `${text.length}:${text}`;
    }
    return isInBody ? IN_BODY : joined;
  };
}
