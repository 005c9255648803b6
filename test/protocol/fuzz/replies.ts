// Broken replies. The client gets exactly what a strict reader finds in the bytes of the replica, or an error or a cut.
// The next request gets its own reply, whatever was left over from the one before.

import net, { type AddressInfo, type Socket } from 'node:net';
import { startProxy, tcp } from '../../fixtures/proxy.ts';
import { type Random, random } from '../../fixtures/random.ts';
import { Garbled, type Message, readReply, readRequest, statusOf } from '../message.ts';
import { lateField } from './forged.ts';
import { fields, framed, mutate, pick, pieces } from './mutate.ts';
import { mistake, type Track } from './requests.ts';
import { openLine } from './wire-tap.ts';

const NONCE = /n\d{9}/;
// The proxy would wait for the rest of an incomplete reply, so the connection is broken off, mostly at once.
const PATIENCE_MS = 3;

/** Opens a proxy with a replica of its own. Cases on it are played one after the other. */
export async function openReplyTrack(): Promise<Track> {
  let answer: (socket: Socket) => Promise<void> = async () => undefined;
  const replica = net.createServer((socket) => {
    let unread = '';
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      unread += bytes.toString('latin1');
      for (let request = readRequest(unread); request?.complete; request = readRequest(unread)) {
        unread = request.rest;
        const next = /\/next\/(\d+)/.exec(request.startLine)?.[1];
        if (next === undefined) void answer(socket);
        else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${next.length + 5}\r\n\r\nnext ${next}`);
      }
    });
  });
  await new Promise<void>((resolve) => replica.listen(0, '127.0.0.1', resolve));
  const proxy = await startProxy([tcp((replica.address() as AddressInfo).port)]);
  return {
    play: async (seed, index) => {
      const chance = random(seed + index);
      const method = pick(chance, ['GET', 'GET', 'GET', 'HEAD', 'POST']);
      const text = makeReply(chance, index);
      const ends = chance.chance(0.5);
      let over = false;
      answer = async (socket) => {
        // Bytes that come late after the end of a reply look like the beginning of the next one. Only bytes that come
        // together with it can be recognized as excess, so these are sent in one piece.
        for (const piece of hasExcess(text, method) ? [text] : pieces(chance, text)) {
          socket.write(piece, 'latin1');
          await new Promise((resolve) => setImmediate(resolve));
        }
        if (ends) socket.end();
        else setTimeout(() => over || socket.destroy(), PATIENCE_MS);
      };
      const client = openLine(proxy.port);
      await client.send([
        `${method} /first HTTP/1.1\r\nHost: a\r\n${method === 'POST' ? 'Content-Length: 1\r\n\r\nx' : '\r\n'}`,
      ]);
      const first = await client.heard((all) => isWhole(all, method));
      over = ends;
      const fault =
        (first.ended === 'hung' ? `it hangs, having answered ${JSON.stringify(first.text)}` : undefined) ??
        compare(text, first.text, method, first.ended);
      const line = first.ended === 'enough' ? client : openLine(proxy.port);
      const from = line === client ? first.text.length : 0;
      await line.send([`GET /next/${index} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`]);
      const second = await line.heard();
      client.destroy();
      line.destroy();
      over = true;
      const next = second.text.slice(from);
      const nextFault = next.endsWith(`\r\n\r\nnext ${index}`)
        ? undefined
        : `the next request got ${JSON.stringify(next)}`;
      const wrong = fault ?? nextFault ?? mistake(proxy.log.splice(0));
      return wrong === undefined ? undefined : `${wrong}\n${method} was answered: ${JSON.stringify(text)}`;
    },
    close: async () => {
      await proxy.close();
      replica.close();
    },
  };
}

function makeReply(chance: Random, index: number): string {
  const nonce = `n${String(index).padStart(9, '0')}`;
  const interim = chance.chance(0.15)
    ? pick(chance, ['103 Early Hints\r\nLink: x', '102 Processing', '100 Continue'])
    : '';
  const status = pick(chance, [
    '200 OK',
    '200 OK',
    '404 Not Found',
    '204 No Content',
    '304 Not Modified',
    '500 ',
    '302 Found',
  ]);
  const body = pick(chance, [nonce, `${nonce}\r\n\r\n${nonce}`, '', nonce.repeat(20)]);
  const head = `HTTP/1.${chance.chance(0.9) ? 1 : 0} ${status}\r\n${fields(chance)}`;
  const rest = /^(?:204|304)/.test(status) ? '\r\n' : chance.chance(0.15) ? `\r\n${body}` : framed(chance, body);
  return mutate(chance, `${interim === '' ? '' : `HTTP/1.1 ${interim}\r\n\r\n`}${head}${rest}`, NONCE);
}

function hasExcess(text: string, method: string): boolean {
  try {
    return (finalOf(text, method, true, 'sent')?.rest ?? '') !== '';
  } catch {
    return false;
  }
}

// Whether the final reply is complete; interim ones are skipped.
function isWhole(text: string, method: string): boolean {
  try {
    return finalOf(text, method, false, 'written')?.complete === true;
  } catch {
    return true;
  }
}

function finalOf(text: string, method: string, ended: boolean, reading: 'written' | 'sent'): Message | undefined {
  for (let rest = text; ; ) {
    const reply = readReply(rest, method, ended, reading);
    if (reply === undefined || statusOf(reply) >= 200) return reply;
    if (statusOf(reply) === 101) throw new Garbled('101 unasked');
    rest = reply.rest;
  }
}

function compare(sent: string, got: string, method: string, ended: string): string | undefined {
  let reply: Message | undefined;
  try {
    reply = finalOf(got, method, ended === 'closed', 'written');
  } catch (error) {
    return `the client got no HTTP (${(error as Error).message}): ${JSON.stringify(got)}`;
  }
  // The client got a cut, or an error of the proxy's own.
  if (reply === undefined || !reply.complete || reply.body.startsWith('{"message":"<Error>')) return undefined;
  if (method === 'HEAD' && statusOf(reply) === 502) return undefined;
  const late = lateField(reply);
  if (late !== undefined) return `${late}: ${JSON.stringify(got)}`;
  // White space before a colon may be removed from a reply (RFC 9112, 5.1), but not from its body, so either reading
  // will do.
  const faults = [sent, sent.replace(/^([!-9;-~]+)[\t ]+:/gm, '$1:')].map((one) => compareTo(one, reply, method));
  return faults.includes(undefined) ? undefined : `${faults[0]}: ${JSON.stringify(got)}`;
}

function compareTo(sent: string, reply: Message, method: string): string | undefined {
  try {
    const original = finalOf(sent, method, true, 'sent');
    if (original?.complete !== true) return 'a whole reply was made of half a one';
    if (statusOf(original) !== statusOf(reply)) return `${statusOf(original)} became ${statusOf(reply)}`;
    return original.body === reply.body ? undefined : 'the body was changed';
  } catch (error) {
    return `a reply was made of what is none (${(error as Error).message})`;
  }
}
