import t from 'tap';
import { localShortage } from '../lib/errors.ts';
import { fromEngineError } from '../lib/fleet/runtimes/docker/errors.ts';
import { descriptorLimit, descriptorsFor, shareDescriptors } from '../lib/parts/descriptors.ts';

t.test('what is given to clients, to those refused, to admins and to replicas fits the limit', async (t) => {
  for (const limit of [64, 256, 1024, 4096, 20_000, 1_048_576]) {
    for (const replicas of [1, 3, 64, 1000]) {
      const shares = shareDescriptors(limit, { maxConnections: 10_000, replicas, workers: 1 });
      const { maxConnections, maxRefused, maxIdleInAll, maxAdminConnections } = shares;
      const used = 2 * maxConnections + maxRefused + maxIdleInAll + maxAdminConnections;
      t.ok(used <= limit - 40 || maxConnections === 1, `${limit}, ${replicas}: ${used}`);
    }
  }
});

t.test('the limit that is said to be enough is, and is the least', async (t) => {
  const wishes = { maxConnections: 10_000, replicas: 64, workers: 1 };
  const enough = descriptorsFor(wishes);
  t.equal(shareDescriptors(enough, wishes).maxConnections, 10_000);
  t.ok(shareDescriptors(enough - 3, wishes).maxConnections < 10_000);
});

t.test('without a limit everything is as it is wished', async (t) => {
  const shares = shareDescriptors(Number.POSITIVE_INFINITY, { maxConnections: 1_000_000, replicas: 64, workers: 1 });
  t.same(shares, {
    maxConnections: 1_000_000,
    maxRefused: 256,
    maxAdminConnections: 64,
    maxIdleInAll: Number.POSITIVE_INFINITY,
  });
  t.ok(descriptorLimit() > 100);
});

t.test('what this process is out of is known from an error, its cause or one of several', async (t) => {
  const failed = (code: string, syscall = 'connect') =>
    Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
  for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL', 'ENOMEM']) {
    t.match(localShortage(failed(code)), new RegExp(`^this .* \\(${code}\\)$`));
  }
  t.match(localShortage(failed('EAGAIN', 'spawn node')), /may start no more processes/);
  t.equal(localShortage(failed('EAGAIN')), undefined, 'a full backlog is of the replica');
  t.equal(localShortage(failed('ECONNREFUSED')), undefined);
  t.match(localShortage(new AggregateError([failed('EMFILE'), failed('EMFILE')])), /EMFILE/);
  const docker = fromEngineError('start server1', failed('EMFILE'));
  t.match(docker.message, /cannot start server1: this process has no file descriptor left/);
  t.match(localShortage(docker), /EMFILE/);
});
