// Broken requests. The replica gets exactly what a strict reader finds in the bytes that were sent, in their order, or
// nothing. Each reply answers its own request, also for a well-behaved client on the same proxy.

import net, { type AddressInfo } from 'node:net';
import { readRequests } from '../../fixtures/echo-replica.ts';
import { startProxy, tcp } from '../../fixtures/proxy.ts';
import { random } from '../../fixtures/random.ts';
import { fieldsOf, Garbled, type Message, readReply, readRequest, statusOf } from '../message.ts';
import { forgedFields, forgery, isDisguised, isHeadOnly } from './forged.ts';
import { fields, framed, mutate, pick, pieces } from './mutate.ts';
import { openLine } from './wire-tap.ts';

const NONCE = /n\d{9}k\d/;
const WITNESS = 'witness';

export interface Track {
  /** Plays one case and says what was wrong. */
  play(seed: number, index: number): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Opens a proxy with a replica of its own. Cases on it are played one after the other. */
export async function openRequestTrack(): Promise<Track> {
  let seen: Message[] = [];
  let garbled: string | undefined;
  const replica = net.createServer((socket) =>
    readRequests(
      socket,
      (request) => {
        if (!request.startLine.includes(WITNESS)) seen.push(request);
        const body = echoOf(request);
        socket.write(
          `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${withBody(request) ? body : ''}`,
          'latin1',
        );
      },
      (error) => {
        garbled = `the replica got no HTTP: ${(error as Error).message}`;
      },
    ),
  );
  await new Promise<void>((resolve) => replica.listen(0, '127.0.0.1', resolve));
  const proxy = await startProxy([tcp((replica.address() as AddressInfo).port)], { clientHalfClose: 'allow' });
  let witness = openLine(proxy.port);
  let witnessed = 0;
  return {
    play: async (seed, index) => {
      const chance = random(seed + index);
      const text = makeStream(chance, index);
      seen = [];
      garbled = undefined;
      const client = openLine(proxy.port);
      const path = `/${WITNESS}/${index}`;
      await witness.send([`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`]);
      await client.send(pieces(chance, text));
      client.halfClose();
      const { text: answer, ended } = await client.heard();
      const echo = `GET ${path} `;
      const told = await witness.heard((all) => all.slice(witnessed).endsWith(echo));
      client.destroy();
      const fault =
        garbled ??
        (ended === 'hung' ? `it hangs, having answered ${JSON.stringify(answer)}` : undefined) ??
        (told.text.slice(witnessed).endsWith(echo)
          ? undefined
          : `the witness got ${JSON.stringify(told.text.slice(witnessed))}`) ??
        compare(text, seen, answer) ??
        mistake(proxy.log.splice(0));
      witnessed = told.text.length;
      if (!witness.open || witnessed > 100_000) {
        witness.destroy();
        witness = openLine(proxy.port);
        witnessed = 0;
      }
      return fault === undefined ? undefined : `${fault}\nsent: ${JSON.stringify(text)}`;
    },
    close: async () => {
      witness.destroy();
      await proxy.close();
      replica.close();
    },
  };
}

/** What a log says about an error of the proxy itself. */
export function mistake(log: readonly { readonly [detail: string]: unknown }[]): string | undefined {
  const line = log.find(({ code }) => code === 'internal');
  return line && `a mistake of its own: ${line.reason}`;
}

function makeStream(chance: ReturnType<typeof random>, index: number): string {
  const count = 1 + chance.below(3);
  const requests = Array.from({ length: count }, (_, k) => {
    const nonce = `n${String(index).padStart(9, '0')}k${k}`;
    const method = pick(chance, ['GET', 'GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']);
    const target = pick(chance, [`/${nonce}`, `/${nonce}?a=b`, `http://b/${nonce}`, `/a/../${nonce}%2f`]);
    const head = `${method} ${target} HTTP/1.${chance.chance(0.9) ? 1 : 0}\r\nHost: a\r\n${fields(chance)}${forgedFields(chance)}`;
    return head + (chance.chance(0.6) ? framed(chance, pick(chance, [nonce, `${nonce}\r\n\r\nGET /x`, ''])) : '\r\n');
  });
  return mutate(chance, requests.join(''), NONCE);
}

function withBody(request: Message): boolean {
  return !request.startLine.startsWith('HEAD ');
}

// The proxy answers requests whose Max-Forwards is used up (RFC 9110, 7.6.2).
function isAnsweredHere(request: Message): boolean {
  return request.startLine.startsWith('OPTIONS ') && fieldsOf(request, 'max-forwards').join() === '0';
}

function echoOf(request: Message): string {
  const [method, target] = request.startLine.split(' ');
  return `${method} ${target} ${request.body}`;
}

function compare(text: string, seen: readonly Message[], answer: string): string | undefined {
  const sent = readSent(text);
  const passed = sent.filter((request) => !isAnsweredHere(request));
  for (const [index, request] of seen.entries()) {
    const original = passed[index];
    if (original === undefined) return `a request was forwarded that was not sent: ${request.startLine}`;
    const [got, expected] = [request, original].map(essence);
    if (got !== expected) return `the replica got ${got}\nwhat was sent is ${expected}`;
    const forged = forgery(request);
    if (forged !== undefined) return forged;
  }
  return checkReplies(answer, sent);
}

// The requests in the bytes, up to the first that is invalid or incomplete.
function readSent(text: string): Message[] {
  const requests: Message[] = [];
  let rest = text;
  try {
    for (let request = readRequest(rest, 'sent'); request?.complete; request = readRequest(rest, 'sent')) {
      requests.push(request);
      rest = request.rest;
    }
  } catch (error) {
    if (!(error instanceof Garbled)) throw error;
  }
  return requests;
}

const NOT_PASSED =
  /^(?:connection|keep-alive|proxy-.*|te|upgrade|transfer-encoding|via|x-forwarded(?:-.*)?|forwarded|x-real-ip|max-forwards|host|content-length|trailer|expect)$/i;

// What has to be the same at both ends.
function essence(request: Message): string {
  const [method, target = ''] = request.startLine.split(/ +/);
  const nominated = fieldsOf(request, 'connection').flatMap((value) => value.toLowerCase().split(/[\t ]*,[\t ]*/));
  const passed = request.fields.filter(
    ([name]) => !NOT_PASSED.test(name) && !nominated.includes(name.toLowerCase()) && !isDisguised([name, '']),
  );
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '');
  const form = path === '' ? (method === 'OPTIONS' ? '*' : '/') : path.startsWith('?') ? `/${path}` : path;
  const trailers = request.trailers.filter((field) => !NOT_PASSED.test(field[0]) && !isHeadOnly(field));
  return JSON.stringify([method, form, request.body, passed, trailers]);
}

function checkReplies(answer: string, sent: readonly Message[]): string | undefined {
  let rest = answer;
  try {
    for (let index = 0; rest !== ''; ) {
      const request = sent[index];
      const reply = readReply(rest, request?.startLine.split(' ')[0] ?? 'GET', true);
      if (reply === undefined) return `half a reply: ${JSON.stringify(rest)}`;
      // The last reply is the proxy's own, and so is that to a request whose Max-Forwards is used up.
      if (statusOf(reply) !== 200 || fieldsOf(reply, 'content-type').length > 0) return undefined;
      // An OPTIONS request without forwards left is answered by the proxy, and need not be complete for that.
      if (request === undefined && fieldsOf(reply, 'allow').length > 0) return undefined;
      if (request === undefined) return `a reply to what was not sent: ${reply.body}`;
      const [method, path, body] = JSON.parse(essence(request)) as string[];
      if (withBody(request) && !isAnsweredHere(request) && reply.body !== `${method} ${path} ${body}`)
        return `the wrong reply: ${reply.body}`;
      index += 1;
      rest = reply.rest;
    }
  } catch (error) {
    if (!(error instanceof Garbled)) throw error;
    return `the client got no HTTP: ${error.message}`;
  }
  return undefined;
}
