// The secrets that replicas of a Swarm are given. test/swarm/ plays it on a real Swarm.

import type Docker from 'dockerode';
import t from 'tap';
import { Secrets } from '../../lib/fleet/runtimes/swarm/secrets.ts';
import type { SwarmSettings } from '../../lib/fleet/runtimes/swarm/service.ts';

interface Made {
  readonly Name: string;
  readonly Labels: Record<string, string>;
  readonly Data: string;
}

/** A Swarm that keeps secrets. Those whose names are in `used` cannot be removed. */
function keeper(names: readonly string[] = []) {
  const kept = new Map(names.map((Name): [string, Made] => [Name, { Name, Labels: {}, Data: '' }]));
  const used = new Set<string>();
  const docker = {
    listSecrets: async ({ filters }: { filters?: { label: string[] } }) =>
      [...kept.values()].flatMap((Spec) => {
        const [label] = filters?.label ?? [];
        const has = label === undefined || label === `ringmaster.fleet=${Spec.Labels['ringmaster.fleet']}`;
        return has ? [{ ID: `id-${Spec.Name}`, Spec }] : [];
      }),
    createSecret: async (made: Made) => {
      kept.set(made.Name, made);
      return { id: `id-${made.Name}` };
    },
    getSecret: (id: string) => ({
      remove: async () => {
        const name = id.replace('id-', '');
        if (used.has(name)) throw new Error('it is in use');
        kept.delete(name);
      },
    }),
  };
  return { docker: docker as unknown as Docker, kept, used };
}
const settings = (hidden: Record<string, string>, secrets: string[] = []) =>
  ({ fleet: 'f', secrets, hidden: new Map(Object.entries(hidden)) }) as unknown as SwarmSettings;

t.test('a value is kept under a name that does not follow from it, once', async (t) => {
  const { docker, kept } = keeper(['given']);
  const ours = new Secrets(docker);
  const [given, made] = await ours.filesOf(settings({ VOTES_URL: 'redis://:hush@a' }, ['given']));
  t.same(given, { id: 'id-given', name: 'given', file: 'given' });
  t.match(made, { file: 'VOTES_URL', name: /^ringmaster-VOTES_URL-[\da-f]{16}$/, id: `id-${made?.name}` });
  const { Data = '', Labels } = kept.get(made?.name ?? '') ?? {};
  t.equal(Buffer.from(Data, 'base64').toString(), 'redis://:hush@a');
  t.same(Labels, { 'ringmaster.fleet': 'f' });
  t.same((await ours.filesOf(settings({ VOTES_URL: 'redis://:hush@a' })))[0], made);
  t.equal(kept.size, 2);
  const [other] = await ours.filesOf(settings({ VOTES_URL: 'redis://:hush@b' }));
  t.not(other?.name, made?.name, 'another value');
  const [again] = await new Secrets(docker).filesOf(settings({ VOTES_URL: 'redis://:hush@a' }));
  t.not(again?.name, made?.name, 'another balancer');
  await t.rejects(ours.filesOf(settings({}, ['none'])), { message: /the Swarm has no secret none: / });
});

t.test('what an earlier balancer made is removed where no service has it, and never what is given', async (t) => {
  const { docker, kept, used } = keeper(['given']);
  const before = new Secrets(docker);
  const [old] = await before.filesOf(settings({ VOTES_URL: 'a' }));
  const [held] = await before.filesOf(settings({ VOTES_URL: 'b' }));
  used.add(held?.name ?? '');
  const ours = new Secrets(docker);
  const [own] = await ours.filesOf(settings({ VOTES_URL: 'a' }));
  await ours.removeUnused('f', true);
  t.same([...kept.keys()], ['given', held?.name, own?.name]);
  t.notOk(kept.has(old?.name ?? ''));
  used.clear();
  await ours.removeUnused('f', false);
  t.same([...kept.keys()], ['given']);
  t.match(await ours.filesOf(settings({ VOTES_URL: 'a' })), [own], 'made anew if it is gone');
  t.equal(kept.size, 2);
});
