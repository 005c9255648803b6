// A second checkout on the same engine: its `up` and `down` leave the first alone, and its own RINGMASTER_… variables
// apply.

import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { composeProject, type Project } from '../fixtures/compose.ts';
import { containersOf, docker } from '../fixtures/engine.ts';

export async function composeNeighbours(t: Test, first: Project): Promise<void> {
  t.test('names come from the folder', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'ringmaster-compose-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const seen: Record<string, string[]> = {};
    for (const name of ['one', 'two']) {
      await mkdir(join(directory, name));
      await copyFile(new URL('../../compose.yaml', import.meta.url), join(directory, name, 'compose.yaml'));
      const command = ['compose', 'config', '--format', 'json'];
      const { COMPOSE_PROJECT_NAME: _, ...env } = process.env;
      const config = JSON.parse(execFileSync('docker', command, { cwd: join(directory, name), env, encoding: 'utf8' }));
      const { environment, image } = config.services.balancer;
      const { RINGMASTER_FLEET, RINGMASTER_DOCKER_IMAGE, RINGMASTER_DOCKER_NETWORK, RINGMASTER_DOCKER_VOLUME } =
        environment;
      t.equal(config.services.replica.image, RINGMASTER_DOCKER_IMAGE);
      t.equal(config.networks.replicas.name, RINGMASTER_DOCKER_NETWORK);
      t.equal(`${config.volumes.votes.name}:/data`, RINGMASTER_DOCKER_VOLUME);
      seen[name] = [
        config.name,
        image,
        RINGMASTER_FLEET,
        RINGMASTER_DOCKER_IMAGE,
        RINGMASTER_DOCKER_NETWORK,
        RINGMASTER_DOCKER_VOLUME,
      ];
    }
    t.same(seen, {
      one: ['one', 'ringmaster-balancer:one', 'one', 'ringmaster-replica:one', 'one_replicas', 'one_votes:/data'],
      two: ['two', 'ringmaster-balancer:two', 'two', 'ringmaster-replica:two', 'two_replicas', 'two_votes:/data'],
    });
  });

  t.test('up and down beside a fleet that runs: it goes on as it was', async (t) => {
    // Container names belong to the engine, so server1 is freed for the only replica of the second project.
    const [replaced] = await first.hostnames();
    if (replaced === 'server1') {
      await first.ask('POST', '/add', { n: 1 });
      await first.ask('DELETE', '/rm', { n: 1, hostnames: [replaced] });
    }
    const before = await containersOf(first.name);
    const second = composeProject('ringmaster-test-2', 5098, {
      RINGMASTER_REPLICAS: '1',
      RINGMASTER_HASH: 'quadratic',
      RINGMASTER_SLOTS: '128',
      REPLICAS_INTERNAL: 'true',
    });
    t.teardown(() => second.remove());
    await second.npm('up');
    t.match((await second.ask('GET', '/rep')).body, { message: { N: 1 } });
    t.match((await second.ask('GET', '/balancer/ring')).body, { hash: 'quadratic', slots: 128 });
    t.match((await second.ask('POST', '/api/vote', { option: 'kubernetes' })).body, {
      votes: { kubernetes: 1, helm: 0 },
    });
    t.match((await first.ask('GET', '/api/votes')).body, { kubernetes: 0, helm: 1 });
    t.same(await containersOf(first.name), before);
    t.equal(await docker('network', 'inspect', '--format', '{{.Internal}}', `${second.name}_replicas`), 'true');

    // What a killed balancer leaves is removed too, but nothing of the other project.
    await docker('kill', '--signal', 'KILL', second.balancer);
    t.equal((await containersOf(second.name)).length, 1);
    await second.npm('down');
    t.same(await containersOf(second.name), []);
    t.equal(await docker('ps', '--all', '--quiet', '--filter', `name=${second.balancer}`), '');
    t.equal(await docker('network', 'ls', '--quiet', '--filter', `name=^${second.name}_`), '');
    t.same(await containersOf(first.name), before);
    t.equal((await first.ask('GET', '/home')).status, 200);
  });
}
