// The virtual socket is held to the real one: both tell the same of the same connections, in the same order.

import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { type Dial, dial } from '../../lib/proxy/replicas/socket.ts';
import { random } from '../fixtures/random.ts';
import { VirtualClock } from '../fixtures/virtual-clock.ts';
import { type Admission, ThreadNetwork, VirtualNetwork } from './network/virtual-network.ts';

/** What a far end does when its connection is made, and when bytes have come. */
interface Far {
  readonly greets: string;
  readonly answersBy: 'end' | 'reset' | 'nothing';
}

/** What a near end does with the first bytes, and when it is connected. */
type Near = (socket: net.Socket) => void;

interface Heard {
  readonly near: readonly string[];
  readonly far: string;
}

const PLENTY = 'x'.repeat(300_000);

const CASES: Record<string, { readonly far: Far | 'refuses'; readonly onConnect?: Near; readonly onRead?: Near }> = {
  'a connection that is refused': { far: 'refuses' },
  'a far end that ends': {
    far: { greets: 'hello', answersBy: 'end' },
    onRead: (socket) => socket.write('go'),
  },
  'a far end that resets': {
    far: { greets: 'hello', answersBy: 'reset' },
    onRead: (socket) => socket.write('go'),
  },
  'what is written before there is a connection': {
    far: { greets: '', answersBy: 'end' },
  },
  'a near end that ends when all is written': {
    far: { greets: '', answersBy: 'nothing' },
    onConnect: (socket) => {
      socket.write(PLENTY);
      socket.destroySoon();
    },
  },
};

for (const [name, { far, onConnect, onRead }] of Object.entries(CASES)) {
  t.test(name, async (t) => {
    const play = (dial: Dial, path: net.AddressInfo) => {
      const near: string[] = [];
      const buffer = Buffer.alloc(65_536);
      const socket = dial(
        { type: 'tcp', host: '127.0.0.1', port: path.port },
        {
          buffer,
          callback: (sizeBytes) => {
            near.push(`read ${buffer.toString('latin1', 0, sizeBytes)}`);
            onRead?.(socket);
            return true;
          },
        },
      );
      if (name.startsWith('what is written')) near.push(`write: ${socket.write('early')}`);
      socket.on('connect', () => {
        near.push(`connect, writable: ${socket.writable}`);
        onConnect?.(socket);
      });
      socket.on('end', () => near.push('end'));
      socket.on('error', (error: NodeJS.ErrnoException) => near.push(`error ${error.code} of ${error.syscall}`));
      socket.on('close', (hadError) => near.push(`close, error: ${hadError}, writable: ${socket.writable}`));
      return { socket, near };
    };
    const real = await playReal(far, play);
    const virtual = await playVirtual(far, play);
    t.ok(real.near.length >= 2);
    t.same(virtual, real);
  });
}

type Play = (dial: Dial, path: net.AddressInfo) => { readonly socket: net.Socket; readonly near: string[] };

async function playReal(far: Far | 'refuses', play: Play): Promise<Heard> {
  let heard = '';
  const farIsOver = Promise.withResolvers<void>();
  const server = net.createServer((socket) => {
    if (far === 'refuses') return;
    if (far.greets !== '') socket.write(far.greets);
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      if (far.answersBy === 'reset') socket.resetAndDestroy();
      else if (far.answersBy === 'end') socket.end();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => farIsOver.resolve());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as AddressInfo;
  if (far === 'refuses') {
    server.close();
    await once(server, 'close');
    farIsOver.resolve();
  }
  const { socket, near } = play(dial, address);
  await new Promise((resolve) => socket.once('close', resolve));
  await farIsOver.promise;
  server.close();
  return { near, far: heard };
}

async function playVirtual(far: Far | 'refuses', play: Play): Promise<Heard> {
  let heard = '';
  const clock = new VirtualClock();
  const admit = (): Admission => {
    if (far === 'refuses') return { type: 'refuse', code: 'ECONNREFUSED' };
    return {
      type: 'accept',
      take: (end) => {
        end.player = {
          onBytes: (bytes) => {
            heard += bytes.toString('latin1');
            if (far.answersBy === 'reset') end.reset();
            else if (far.answersBy === 'end') end.end();
          },
          onEnd: () => end.close(),
          onReset: () => undefined,
        };
        end.write(far.greets);
      },
    };
  };
  const network = new VirtualNetwork({ clock, random: random(1), admit, onWrite: () => undefined });
  const { near } = play(new ThreadNetwork(network, 1).dial, { address: '', family: '', port: 1 });
  await clock.play(1000, () => true);
  return { near, far: heard };
}
