// Clients that send a body or read an answer slowly, or not at all, at the balancer's own endpoints. Runs the real
// program, with the endpoints on the public port and on a port of their own.

import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';
import { connectRaw, exchangeRaw, type RawClient } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

// Leaves time for a busy machine.
t.setTimeout(120_000);

const service = await scriptedReplica((socket) => socket.write(reply('{}')));
t.teardown(() => service.close());

/** Starts the program over one service, with the endpoints on the public port or on their own. */
const start = async (t: Test, place: string, ...args: string[]): Promise<{ program: Program; port: number }> => {
  const own = place === 'admin port' ? await freePort() : 0;
  const program = await startProgram([
    ...['--upstream', service.upstream, '--heartbeat-path', 'off'],
    ...(own === 0 ? [] : ['--admin-port', String(own)]),
    ...args,
  ]);
  t.teardown(() => program.stop());
  return { program, port: own === 0 ? program.port : own };
};

/** Sends one byte after the other until the other side closes the connection. */
const trickle = (client: RawClient, byte: string) => {
  const timer = setInterval(() => client.send(byte), 50);
  void client.closed.then(() => clearInterval(timer));
};

const RING = 'GET /balancer/ring HTTP/1.1\r\nHost: localhost\r\n';

/**
 * Resolves when the program has closed its end of the connection between these ports. A client that does not read
 * cannot see this by itself.
 */
const letGo = (port: number, clientPort: number) => {
  const end = (number: number) => `0100007F:${number.toString(16).toUpperCase().padStart(4, '0')}`;
  const established = `${end(port)} ${end(clientPort)} 01`;
  return eventually('it lets go', () => !readFileSync('/proc/net/tcp', 'utf8').includes(established));
};

for (const place of ['public port', 'admin port']) {
  t.test(`${place}: a body has a total limit of time, however it comes, also where none is wanted`, async (t) => {
    const { port } = await start(t, place, '--head-timeout', '500ms');
    const cases = [
      ['POST /balancer/explain HTTP/1.1\r\nContent-Length: 100', ''],
      ['POST /balancer/explain HTTP/1.1\r\nContent-Length: 1000', ' '],
      ['POST /add HTTP/1.1\r\nTransfer-Encoding: chunked', '1\r\n \r\n'],
      ['DELETE /rm HTTP/1.1\r\nContent-Length: 1000', ' '],
      ['GET /rep HTTP/1.1\r\nContent-Length: 1000', ' '],
      ['GET /balancer/ HTTP/1.1\r\nContent-Length: 1000', ''],
      ['GET /balancer HTTP/1.1\r\nContent-Length: 1000', ''],
      ['GET /balancer/events HTTP/1.1\r\nContent-Length: 1000', ' '],
      // These are refused by their head alone.
      ['POST /balancer/kill HTTP/1.1\r\nOrigin: http://evil.example\r\nContent-Length: 1000', ' '],
    ] as const;
    const play = async ([head, byte]: (typeof cases)[number]) => {
      const client = await connectRaw(port);
      client.send(`${head}\r\nHost: localhost\r\n\r\n${byte}`);
      if (byte !== '') trickle(client, byte);
      const { text } = await client.closed;
      const late = /^HTTP\/1\.1 408 .*\r\nConnection: close\r\n.*"<Error> the body was not whole within 500 ms"/s;
      t.match(text, late, head);
    };
    await Promise.all(cases.map(play));
  });

  t.test(`${place}: a body that breaks is refused at once`, async (t) => {
    const { port } = await start(t, place);
    for (const body of ['x\r\n', '5\r\nab\r\n\r\n\r\n\r\n\r\n']) {
      const head = 'POST /add HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
      t.match(await exchangeRaw(port, head + body), /^HTTP\/1\.1 400 /);
    }
    const client = await connectRaw(port);
    client.send('POST /add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
    client.socket.end();
    t.notMatch((await client.closed).text, / 408 /);
  });

  t.test(`${place}: a body where none is wanted is read, and the connection goes on`, async (t) => {
    const { port } = await start(t, place);
    const client = await connectRaw(port);
    client.send('GET /rep HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n');
    client.send('x'.repeat(100_000));
    await client.until(/HTTP\/1\.1 413 .*"status":"failure"}$/s);
    client.send(
      'GET /rep HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}GET /rep HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    const { text } = await client.closed;
    t.equal(text.match(/HTTP\/1\.1 200 OK/g)?.length, 2);
  });

  t.test(`${place}: 100 (Continue) is sent once, where a body is wanted and may come`, async (t) => {
    const { port } = await start(t, place, '--admin', 'token', '--admin-token', 'right');
    const ask = (head: string) => `${head}\r\nHost: localhost\r\nExpect: 100-continue\r\n`;
    const client = await connectRaw(port);
    client.send(`${ask('POST /balancer/explain HTTP/1.1\r\nContent-Length: 13\r\nConnection: close')}\r\n`);
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.send('{"key":"a"}  ');
    t.match((await client.closed).text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    t.match(await exchangeRaw(port, `${ask('POST /add HTTP/1.1\r\nContent-Length: 7')}\r\n`), /^HTTP\/1\.1 401 /);
    t.match(await exchangeRaw(port, `${ask('GET /rep HTTP/1.1\r\nConnection: close')}\r\n`), /^HTTP\/1\.1 200 /);
  });

  t.test(`${place}: an answer that is not taken is cut off, also if a byte is taken now and then`, async (t) => {
    const many = Array.from({ length: 200 }, (_, index) => `127.0.0.${index + 1}:${service.port}`).join(',');
    const big = ['--upstream', many, '--slots', '65536', '--virtual-nodes', '256', '--max-replicas', '200'];
    const { port } = await start(t, place, ...big, '--body-timeout', '1s');
    const [whole = ''] = /Content-Length: \d+/.exec(await exchangeRaw(port, `${RING}Connection: close\r\n\r\n`)) ?? [];
    for (const takes of [false, true]) {
      const client = await connectRaw(port);
      client.socket.pause();
      const timer = takes ? setInterval(() => client.socket.read(8192), 20) : undefined;
      // The buffers of both ends take some of it, so this is more than they can hold.
      client.send(`${RING}\r\n`.repeat(4));
      await letGo(port, client.socket.localPort as number);
      clearInterval(timer);
      client.socket.resume();
      const { text } = await client.closed;
      const wholeBytes = Number(whole.slice('Content-Length: '.length));
      t.ok(
        text.length < 4 * wholeBytes,
        `${text.length} bytes of ${4 * wholeBytes}, taking ${takes ? 'some' : 'none'}`,
      );
    }
  });
}

t.test('fifty bodies that never come do not use up fifty connections', async (t) => {
  const { program, port } = await start(t, 'public port', '--max-connections', '50', '--head-timeout', '500ms');
  const held = await Promise.all(Array.from({ length: 50 }, () => connectRaw(port)));
  for (const client of held) client.send('POST /balancer/explain HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{');
  await Promise.all(held.map((client) => client.closed));
  t.equal((await program.json('/rep')).status, 200);
  t.equal((await program.json('/x')).status, 200);
});

t.test('work has no limit: /add is answered when its replica serves', async (t) => {
  const program = await startProgram(['--replicas', '1', '--head-timeout', '100ms', '--body-timeout', '100ms'], {
    REPLICA_START_DELAY_MS: '700',
  });
  t.teardown(() => program.stop());
  t.equal((await program.json('/add', { method: 'POST', body: '{"n":1}' })).status, 200);
});

for (const place of ['public port', 'admin port']) {
  t.test(`${place}: SIGTERM while a change is made: it is answered`, async (t) => {
    const own = place === 'admin port' ? await freePort() : 0;
    const args = ['--replicas', '1', ...(own === 0 ? [] : ['--admin-port', String(own)])];
    const program = await startProgram(args, { REPLICA_START_DELAY_MS: '700' });
    const client = await connectRaw(own === 0 ? program.port : own);
    client.send('POST /add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n{"n":1}');
    await program.logged((line) => line.event === 'replica-starting' && line.hostname !== 'server1');
    program.process.kill('SIGTERM');
    await client.until(/^HTTP\/1\.1 [\s\S]*}$/);
    t.equal(await program.exited, 0);
  });
}

t.test('admin port: many requests in one packet end their connection, not the process', async (t) => {
  const { port } = await start(t, 'admin port');
  const client = await connectRaw(port);
  client.send('GET /balancer/events HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2450));
  await client.closed;
  t.match(await exchangeRaw(port, 'GET /rep HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 200 /);
});

t.test('no answer of ours is taken for anything but what it says it is', async (t) => {
  const { program, port } = await start(t, 'admin port');
  const here = await start(t, 'public port');
  const urls = [
    ...['/rep', '/balancer/ring', '/balancer/', '/nowhere'].map((path) => `http://127.0.0.1:${port}${path}`),
    `${here.program.url}/rep`,
  ];
  for (const url of urls) t.equal((await fetch(url)).headers.get('x-content-type-options'), 'nosniff', url);
  const refused = await fetch(`${here.program.url}/add`, { method: 'POST', body: '{' });
  t.equal(refused.headers.get('x-content-type-options'), 'nosniff');
  t.match(
    await exchangeRaw(program.port, 'GET /x HTTP/1.1\r\n\r\n'),
    /^HTTP\/1\.1 400 [\s\S]*X-Content-Type-Options: nosniff\r\n/,
  );
});
