// Which requests are suspected when the replica that has them ends, and how suspects are kept apart.

import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { played, timed } from '../fixtures/played.ts';
import { routeTo, tcp } from '../fixtures/proxy.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';
import { settle } from '../fixtures/virtual-clock.ts';

const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
const post = (body: string, fields = '') =>
  `POST / HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Holds each request until it is told what to do, by the target. */
function holding() {
  const held = new Map<string, Socket>();
  let heard = () => {};
  const there = async (count: number) => {
    while (held.size < count) {
      await new Promise<void>((resolve) => {
        heard = resolve;
      });
    }
  };
  const play = (socket: Socket, head: string) => {
    held.set(head.split(' ')[1] ?? '', socket);
    heard();
  };
  const cut = () => {
    for (const socket of held.values()) socket.resetAndDestroy();
    held.clear();
  };
  return { held, there, play, cut };
}

type Played = Awaited<ReturnType<typeof timed>>;

/** Takes the first replica out, as one that has ended. */
function end({ proxy, all }: Pick<Played, 'all'> & { proxy: Pick<Played['proxy'], 'publish'> }) {
  const others = all.slice(1).map(({ port }, index) => routeTo(index + 2, tcp(port)));
  return proxy.publish({ order: [1, 2, 3].slice(0, all.length), routes: others, ended: [1] });
}

async function sent(t: Test, port: number, text: string) {
  const client = await connectRaw(port);
  t.teardown(() => client.socket.destroy());
  client.send(text);
  return client;
}

t.test('suspects go to a replica one after the other, and others go there beside them', async (t) => {
  const [first, second] = [holding(), holding()];
  const stage = await timed(t, {}, first.play, second.play);
  const suspects = [await sent(t, stage.proxy.port, get('/1')), await sent(t, stage.proxy.port, get('/2'))];
  await first.there(2);
  first.cut();
  await end(stage);
  await second.there(1);
  const other = await sent(t, stage.proxy.port, get('/other'));
  await second.there(2);
  await stage.clock.advance(300);
  t.match([...second.held.keys()], [/\/[12]/, '/other']);
  t.equal(stage.proxy.proxy.poison.suspects, 2);
  const [one = ''] = second.held.keys();
  second.held.get(one)?.write(reply(one));
  await second.there(3);
  for (const target of second.held.keys()) if (target !== one) second.held.get(target)?.write(reply(target));
  await Promise.all([suspects[0]?.until(/\/1$/), suspects[1]?.until(/\/2$/), other.until(/\/other$/)]);
  t.equal(stage.proxy.proxy.poison.suspects, 0);
});

t.test('the same request of several clients is under way once, until it is answered', async (t) => {
  const [first, second] = [holding(), holding()];
  let asked = 0;
  const counting = (socket: Socket, head: string) => {
    asked += 1;
    second.play(socket, head);
  };
  const stage = await timed(t, {}, first.play, counting);
  const suspect = await sent(t, stage.proxy.port, get('/home'));
  await first.there(1);
  first.cut();
  await end(stage);
  await second.there(1);
  const others = [await sent(t, stage.proxy.port, get('/home')), await sent(t, stage.proxy.port, get('/home'))];
  await stage.clock.advance(300);
  t.equal(asked, 1);
  second.held.get('/home')?.write(reply('first'));
  await suspect.until(/first$/);
  while (asked < 3) await settle();
  t.equal(stage.proxy.proxy.poison.suspects, 0);
  t.equal(others.length, 2);
});

t.test('a suspect waits for others for 2 s, and then goes on beside them', async (t) => {
  const [first, second] = [holding(), holding()];
  const stage = await timed(t, {}, first.play, second.play);
  for (const target of ['/1', '/2']) await sent(t, stage.proxy.port, get(target));
  await first.there(2);
  first.cut();
  await end(stage);
  await second.there(1);
  await stage.clock.advance(1500);
  t.equal(second.held.size, 1);
  await stage.clock.advance(1000);
  await second.there(2);
});

t.test('who left before the replica that had it was found to hang is suspected', async (t) => {
  const first = holding();
  const stage = await timed(t, {}, first.play, (socket) => socket.write(reply('second')));
  const [gone, other] = [
    await sent(t, stage.proxy.port, get('/gone')),
    await sent(t, stage.proxy.port, get('/answered')),
  ];
  await first.there(2);
  first.held.get('/answered')?.write(reply('well'));
  await other.until(/well$/);
  gone.socket.destroy();
  await stage.proxy.publish({
    order: [1, 2],
    routes: stage.all.map(({ port }, index) => routeTo(index + 1, tcp(port))),
  });
  while (stage.proxy.proxy.connections() > 1) await settle();
  t.equal(stage.proxy.proxy.poison.suspects, 0);
  await end(stage);
  t.equal(stage.proxy.proxy.poison.suspects, 1);
});

t.test('an event stream or a tunnel that has begun did not end its replica', async (t) => {
  const first = holding();
  const stage = await played(t, {}, first.play, (socket) => socket.write(reply('second')));
  const stream = await sent(t, stage.proxy.port, get('/stream'));
  await first.there(1);
  first.held.get('/stream')?.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n');
  await stream.until(/data: 1/);
  const offer = 'GET /tunnel HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n';
  const tunnel = await sent(t, stage.proxy.port, offer);
  await first.there(2);
  first.held.get('/tunnel')?.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n');
  await tunnel.until(/ 101 /);
  const begun = await sent(t, stage.proxy.port, get('/begun'));
  await first.there(3);
  first.held.get('/begun')?.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
  await begun.until(/half/);
  first.cut();
  await Promise.all([stream.closed, tunnel.closed, begun.closed]);
  t.equal(stage.proxy.proxy.poison.suspects, 1, 'a reply that had just begun is no answer yet');
});

t.test('a POST is known by its body, if that is there before a replica is asked', async (t) => {
  const kill = (socket: Socket) => socket.resetAndDestroy();
  const { proxy } = await played(t, {}, kill);
  const ask = async (text: string) => {
    const client = await sent(t, proxy.port, text);
    await client.until(/ 502 /);
    return proxy.proxy.poison.suspects;
  };
  t.equal(await ask(post('a')), 1);
  t.equal(await ask(post('a')), 1);
  t.equal(await ask(post('b')), 2);
  t.equal(await ask(post('c', 'Expect: 100-continue\r\n')), 3);
  t.equal(await ask(post('d', 'Expect: 100-continue\r\n')), 3, 'of these the length is known');
  t.equal(await ask(post('x'.repeat(100_000))), 4);
  t.equal(await ask(post('y'.repeat(100_000))), 4, 'and of those that are not kept');
});
