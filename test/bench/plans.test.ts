// What the bench measures while one of many replicas leaves and joins, on the real program with two.

import http from 'node:http';
import type net from 'node:net';
import t from 'tap';
import { rejoin } from '../../bench/harness/plans.ts';
import { startProgram } from '../../bench/harness/program.ts';

t.test('each change is timed, and no client goes without an answer', async (t) => {
  const servers = await Promise.all(
    [1, 2].map(async () => {
      const server = http.createServer((_request, response) => response.end('hello'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      t.teardown(() => server.close());
      return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    }),
  );
  const program = await startProgram(['--upstream', servers.join(','), '--heartbeat-path', 'off']);
  t.teardown(() => program.stop());
  const [address = ''] = servers;
  const result = await rejoin(program.url, { hostname: address, address, times: 2 });
  t.equal(result.changesMs.length, 4);
  t.equal(result.errors, 0);
  t.ok(result.requests > 8);
  t.ok(result.quietMs > 0 && result.longestMs > 0);
  t.same(await program.hostnames(), servers.toReversed());
  await t.rejects(
    rejoin(program.url, { hostname: 'nobody', address, times: 1 }),
    /\/rm\?only-named was answered by 400/,
  );
});
