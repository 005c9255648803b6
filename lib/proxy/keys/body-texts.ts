// Reads the parts of a key that are in the body of a request: in as much of it as is here before a replica is asked. A
// body that is none, is compressed, is no JSON, or has the value further back has no such part.

import { fieldOf } from '../../core/json/field.ts';
import { promptOf } from '../../core/json/prompt.ts';
import { fieldValue, IN_BODY, type KeyedRequest, type TextReader } from './head-texts.ts';

/** @param names as somebody has written them. */
export function jsonText(names: readonly string[]): TextReader {
  // Of a body each byte is a character.
  const onWire = names.map((name) => Buffer.from(name, 'utf8').toString('latin1'));
  return (request, _client, body) => {
    if (isEncoded(request)) return undefined;
    return body === undefined ? IN_BODY : fieldOf(body, onWire);
  };
}

/** What tells which requests to a language model begin alike: what the client says itself, else how they begin. */
export const promptText: TextReader = (request, _client, body) => {
  const said = fieldValue(request, 'x-session-id') ?? fieldValue(request, 'x-session-affinity');
  if (said !== undefined) return said;
  if (isEncoded(request)) return undefined;
  if (body === undefined) return IN_BODY;
  const { cacheKey, user, beginning } = promptOf(body);
  return cacheKey || user || beginning;
};

function isEncoded(request: KeyedRequest): boolean {
  const coding = fieldValue(request, 'content-encoding');
  return coding !== undefined && coding.toLowerCase() !== 'identity';
}
