// Documents that are edited together, with Yjs: Hocuspocus servers as replicas, each with its documents in memory, and
// clients that meet because the path leads them to the same one.

import { fileURLToPath } from 'node:url';
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import t, { type Test } from 'tap';
import { Doc } from 'yjs';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { eventually } from '../fixtures/eventually.ts';

const SERVER = fileURLToPath(new URL('../fixtures/document-server.ts', import.meta.url));

async function startServers(t: Test, ...options: string[]): Promise<Program> {
  const program = await startProgram(['--key', 'path:2', ...options, '--', process.execPath, SERVER]);
  t.teardown(() => program.stop());
  return program;
}

/** An editor of a document, with a connection and a copy of its own. */
function open(t: Test, program: Program, name: string) {
  const websocketProvider = new HocuspocusProviderWebsocket({ url: `ws://127.0.0.1:${program.port}/docs/${name}` });
  const document = new Doc();
  const provider = new HocuspocusProvider({ websocketProvider, name, document });
  provider.attach();
  t.teardown(() => {
    provider.destroy();
    websocketProvider.destroy();
  });
  const text = document.getText('text');
  return {
    write: (words: string) => text.insert(text.length, `${words}\n`),
    lines: () => text.toString().split('\n').slice(0, -1).toSorted(),
    synced: () => eventually(`${name} is synced`, async () => provider.isSynced),
    /** Resolves when the connection has ended; it does not come back by itself. */
    cutOff: () =>
      new Promise<void>((resolve) => {
        websocketProvider.on('disconnect', () => {
          websocketProvider.disconnect();
          resolve();
        });
      }),
    connect: () => websocketProvider.connect(),
  };
}

type Editor = ReturnType<typeof open>;

async function allHave(editors: readonly Editor[], ...lines: string[]): Promise<void> {
  await eventually(`all have ${lines}`, async () => editors.every((one) => `${one.lines()}` === `${lines.toSorted()}`));
}

const replicaOf = async (program: Program, name: string): Promise<string> => {
  const { text } = await program.call('POST', '/balancer/explain', { path: `/docs/${name}` });
  return (JSON.parse(text) as { replica: string }).replica;
};

for (const workers of ['1', '2']) {
  t.test(`--key path:2: who opens the same document sees what others write, workers: ${workers}`, async (t) => {
    const program = await startServers(t, '--workers', workers);
    const replicas = new Set<string>();
    for (let number = 0; number < 9; number++) {
      const name = `doc-${number}`;
      replicas.add(await replicaOf(program, name));
      const editors = [open(t, program, name), open(t, program, name), open(t, program, name)];
      await Promise.all(editors.map((one) => one.synced()));
      editors.forEach((one, index) => {
        one.write(`by ${index}`);
      });
      await allHave(editors, 'by 0', 'by 1', 'by 2');
      const late = open(t, program, name);
      await allHave([late], 'by 0', 'by 1', 'by 2');
    }
    t.equal(replicas.size, 3, 'and the documents are spread');
  });
}

t.test('when the replica of a document has been killed, its editors are one again', async (t) => {
  const program = await startServers(t);
  const editors = [open(t, program, 'doc'), open(t, program, 'doc')];
  const [one, other] = editors as [Editor, Editor];
  await Promise.all(editors.map((each) => each.synced()));
  one.write('before');
  await allHave(editors, 'before');
  const killed = await replicaOf(program, 'doc');
  const cut = Promise.all(editors.map((each) => each.cutOff()));
  t.equal((await program.call('POST', '/balancer/kill', { hostname: killed })).status, 200);
  await cut;
  one.write('one alone');
  other.write('the other alone');
  await eventually('another is in its place', async () => {
    const { text } = await program.call('POST', '/balancer/explain', { path: '/docs/doc' });
    const { owner, replica } = JSON.parse(text) as { owner: string; replica: string };
    return owner === replica && replica !== killed;
  });
  for (const each of editors) each.connect();
  // The next replica begins with nothing, and has the document from those who edit it.
  await allHave([...editors, open(t, program, 'doc')], 'before', 'one alone', 'the other alone');
});

t.test('while the replica of a document takes no requests, whoever comes meets at the same other one', async (t) => {
  const program = await startServers(t);
  const drained = await replicaOf(program, 'doc');
  t.equal((await program.call('POST', '/balancer/drain', { hostname: drained })).status, 200);
  t.not(await replicaOf(program, 'doc'), drained);
  const editors = Array.from({ length: 4 }, () => open(t, program, 'doc'));
  await Promise.all(editors.map((one) => one.synced()));
  editors[0]?.write('here');
  await allHave(editors, 'here');
});

for (const workers of ['1', '2']) {
  t.test(`when the replica of a document is back, all its editors come there, workers: ${workers}`, async (t) => {
    const program = await startServers(t, '--rehome-tunnels', '1s', '--workers', workers);
    const owner = await replicaOf(program, 'doc');
    t.equal((await program.call('POST', '/balancer/drain', { hostname: owner })).status, 200);
    const early = open(t, program, 'doc');
    await early.synced();
    early.write('at the stand-in');
    t.equal((await program.call('POST', '/balancer/undrain', { hostname: owner })).status, 200);
    // Comes to the owner, which knows nothing of the document.
    const late = open(t, program, 'doc');
    await late.synced();
    late.write('at the owner');
    await allHave([early, late, open(t, program, 'doc')], 'at the stand-in', 'at the owner');
  });
}
