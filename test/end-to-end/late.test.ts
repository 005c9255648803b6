// A balancer that did not run for a while blames nobody for the delay.

import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { connectRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const LIMITS = ['reply-timeout', 'request-timeout', 'body-timeout', 'connect-timeout', 'keep-alive-timeout'];

t.test(
  'a balancer that was stopped for longer than any limit: replies, clients and replicas are as they were',
  async (t) => {
    const held: (() => void)[] = [];
    const arrivals = new EventEmitter();
    const one = await scriptedReplica((socket, head) => {
      if (head.startsWith('GET /slow')) {
        held.push(() => socket.write(reply('late')));
        arrivals.emit('held');
      } else socket.write(reply('ok'));
    });
    const limits = LIMITS.flatMap((name) => [`--${name}`, '1s']);
    const program = await startProgram(['--upstream', one.upstream, '--heartbeat-interval', '50ms', ...limits]);
    t.teardown(() => Promise.all([program.stop(), one.close()]));
    const idle = await connectRaw(program.port);
    idle.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await idle.until(/ok$/);
    const upload = await connectRaw(program.port);
    upload.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345');
    const [waiting, patient] = [await connectRaw(program.port), await connectRaw(program.port)];
    for (const client of [waiting, patient]) {
      const arrived = once(arrivals, 'held');
      client.send('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
      await arrived;
    }
    // The clock of another process cannot be moved, so real time passes here and below. While the program runs, no
    // limit is reached.
    await sleep(300);

    program.process.kill('SIGSTOP');
    // The reply comes now, but the program does not read it for three times its limit.
    held[0]?.();
    upload.send('67890');
    idle.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await sleep(3000);
    program.process.kill('SIGCONT');
    // The other reply has used up a third of its limit so far.
    await sleep(150);
    held[1]?.();

    t.match(await waiting.until(/\r\n\r\n.+$/s), /^HTTP\/1\.1 200 .*late$/s);
    t.match(await patient.until(/\r\n\r\n.+$/s), /^HTTP\/1\.1 200 .*late$/s);
    t.match(await upload.until(/\r\n\r\n.+$/s), /^HTTP\/1\.1 200 .*ok$/s);
    t.match(await idle.until(/ok.*ok$/s), /200 OK/);
    const blamed = program.log.filter(({ event }) =>
      ['replica-lost', 'replica-suspected', 'request-failed'].includes(event),
    );
    t.same(blamed, []);
    for (const { socket } of [idle, upload, waiting, patient]) socket.destroy();
  },
);
