// A stream of bytes over a message port, as HTTP between two threads uses it.

import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { MessageChannel } from 'node:worker_threads';
import t from 'tap';
import { PortStream } from '../../lib/proxy/workers/port-stream.ts';

function pair(): [PortStream, PortStream] {
  const { port1, port2 } = new MessageChannel();
  return [new PortStream(port1), new PortStream(port2, '10.0.0.1')];
}

// `buffer` of node:stream/consumers would destroy the stream, its other direction included.
async function readAll(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  stream.on('data', (part: Buffer) => parts.push(part));
  await once(stream, 'end');
  return Buffer.concat(parts);
}

t.test('bytes arrive in order and whole, in both directions, and each end ends its own', async (t) => {
  const [one, other] = pair();
  const sent = Buffer.from(Uint32Array.from({ length: 200_000 }, (_, index) => index).buffer);
  const arrived = readAll(other);
  const back = readAll(one);
  one.end(sent);
  t.ok((await arrived).equals(sent));
  other.write('a');
  other.end('b');
  t.equal(String(await back), 'ab');
  t.equal(other.remoteAddress, '10.0.0.1');
});

t.test('what is not read is bounded', async (t) => {
  const [one, other] = pair();
  t.teardown(() => one.destroy());
  const piece = Buffer.alloc(16_384);
  let sent = 0;
  while (one.write(piece) || sent < 64) sent += 1;
  other.read(0);
  await once(other, 'readable');
  t.ok(other.readableLength <= 8 * piece.length, `${other.readableLength} bytes wait at the reader`);
  t.ok(one.writableLength >= (sent - 8) * piece.length, 'and the rest where it came from');
});

t.test('one end destroyed, the other closes; what came before its end is still read', async (t) => {
  const [one, other] = pair();
  one.destroy();
  await once(other, 'close');
  const [writer, reader] = pair();
  writer.end('last words');
  await once(writer, 'finish');
  writer.destroy();
  t.equal(String(await readAll(reader)), 'last words');
});

t.test('a fault is told, also to who asks for it late', async (t) => {
  const [one, other] = pair();
  t.teardown(() => one.destroy());
  const heard = Promise.withResolvers<string>();
  one.fault({ message: 'it broke', code: 'bad-request' });
  one.write('x');
  await once(other, 'readable');
  other.hearFault(({ message }) => heard.resolve(message));
  t.equal(await heard.promise, 'it broke');
});
