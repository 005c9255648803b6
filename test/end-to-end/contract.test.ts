// Every row of the contract, over real sockets, against the real program with real replicas.

import t from 'tap';
import { startProgram } from '../../bench/harness/program.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';

const program = await startProgram(['--max-replicas', '12']);
t.teardown(() => program.stop());

const request = async (method: string, path: string, body?: unknown) => {
  const init =
    body === undefined ? { method } : { method, body: typeof body === 'string' ? body : JSON.stringify(body) };
  const response = await fetch(program.url + path, init);
  return {
    status: response.status,
    type: response.headers.get('content-type'),
    text: await response.text(),
    headers: response.headers,
  };
};
const rep = (...replicas: string[]) =>
  `{"message":{"N":${replicas.length},"replicas":${JSON.stringify(replicas)}},"status":"successful"}`;
const failure = (message: string) => `{"message":"<Error> ${message}","status":"failure"}`;
const first = ['server1', 'server2', 'server3'];

t.test('GET /rep: N and the replicas in the order in which they joined', async (t) => {
  const answer = await request('GET', '/rep');
  t.equal(answer.text, rep(...first));
  t.match(answer, { status: 200, type: 'application/json' });
});

t.test('GET /home: the replica introduces itself, and ten requests reach all three', async (t) => {
  const seen = new Set<string>();
  for (let count = 0; count < 10; count++) {
    const { status, type, text } = await request('GET', '/home');
    t.match({ status, type }, { status: 200, type: 'application/json' });
    const id = /^{"message":"Hello from Server: (server[123])","status":"successful"}$/.exec(text)?.[1];
    seen.add(id ?? text);
  }
  t.same([...seen].sort(), first);
});

t.test('GET /heartbeat: 200 and an empty body', async (t) => {
  t.match(await request('GET', '/heartbeat'), { status: 200, text: '' });
});

t.test('a path that the replica does not have: its 400 is passed on, the path as sent without its query', async (t) => {
  for (const [path, shown] of [
    ['/other', '/other'],
    ['/a%20b?c=d', '/a%20b'],
    ['/rep/', '/rep/'],
    ['/toString', '/toString'],
  ]) {
    const answer = await request('GET', path as string);
    t.equal(answer.text, failure(`'${shown}' endpoint does not exist in server replicas`));
    t.match(answer, { status: 400, type: 'application/json' });
  }
});

t.test('other methods on the balancer’s paths go to a replica', async (t) => {
  t.match((await request('POST', '/rep', {})).text, /'\/rep' endpoint does not exist/);
  t.match((await request('GET', '/add')).text, /'\/add' endpoint does not exist/);
  t.match((await request('POST', '/rm', { n: 1 })).text, /'\/rm' endpoint does not exist/);
});

t.test('the voting page has the ids that existing pages look for', async (t) => {
  const page = await request('GET', '/');
  t.match(page, { status: 200, type: /^text\/html/ });
  for (const id of ['docker-votes', 'helm-votes', 'kubernetes-votes', 'prometheus-votes', 'result-bars', 'status']) {
    t.match(page.text, `id="${id}"`);
  }
});

t.test('votes: a bare map, a wrapped one after a vote, whichever replica answers', async (t) => {
  t.equal((await request('GET', '/api/votes')).text, '{"docker":0,"helm":0,"kubernetes":0,"prometheus":0}');
  const vote = await request('POST', '/api/vote', { option: 'kubernetes' });
  t.match(vote, { status: 200, type: 'application/json' });
  t.equal(vote.text, '{"votes":{"docker":0,"helm":0,"kubernetes":1,"prometheus":0}}');
  for (let count = 0; count < 5; count++) {
    t.equal((await request('GET', '/api/votes')).text, '{"docker":0,"helm":0,"kubernetes":1,"prometheus":0}');
  }
});

t.test('a vote that is none: 400, what was wrong, and nothing counted', async (t) => {
  for (const [body, reason] of [
    [{ option: 'podman' }, /option must be one of docker, helm, kubernetes, prometheus, not \\"podman\\"/],
    [{ choice: 'helm' }, /option must be one of/],
    ['{"option":', /the body is not a vote/],
    ['null', /option must be one of/],
    [`{"option":"helm","x":"${'y'.repeat(5000)}"}`, /longer than 4096 bytes/],
  ] as const) {
    const answer = await request('POST', '/api/vote', body);
    t.equal(answer.status, 400);
    t.match(answer.text, /^{"message":"<Error> .*","status":"failure"}$/);
    t.match(answer.text, reason);
  }
  t.equal((await request('GET', '/api/votes')).text, '{"docker":0,"helm":0,"kubernetes":1,"prometheus":0}');
});

t.test('POST /add and DELETE /rm that are refused change nothing and say what is wrong', async (t) => {
  const tooMany = failure('Length of hostname list is more than newly added instances');
  t.equal((await request('POST', '/add', { n: 1, hostnames: ['a', 'b'] })).text, tooMany);
  const tooManyOut = failure('Length of hostname list is more than removable instances');
  t.equal((await request('DELETE', '/rm', { n: 1, hostnames: ['a', 'b'] })).text, tooManyOut);
  for (const [method, path] of [
    ['POST', '/add'],
    ['DELETE', '/rm'],
  ] as const) {
    for (const [body, reason] of [
      ['{', /not JSON/],
      ['', /not JSON/],
      [{ hostnames: ['a'] }, /n is missing/],
      [{ n: '1' }, /n must be a whole number/],
      [{ n: 1.5 }, /n must be a whole number/],
      [{ n: 0 }, /n must be a whole number from 1 up/],
      [{ n: 1, hostnames: 'a' }, /hostnames must be a list/],
      [{ n: 1, hostnames: ['a b'] }, /hostnames\[0\] must be a letter or digit/],
      [{ n: 2, hostnames: ['a', 'A'] }, /hostnames\[1\] is the same as hostnames\[0\]/],
    ] as const) {
      const answer = await request(method, path, body);
      t.match(answer, { status: 400, type: 'application/json' });
      t.match(answer.text, /^{"message":"<Error> .*","status":"failure"}$/);
      t.match(answer.text, reason);
    }
  }
  t.match(await request('POST', '/add', { n: 10 }), {
    status: 400,
    text: /n must be at most 9 now.*limit is 12, not 10/,
  });
  t.match(await request('POST', '/add', `{"n":1,"x":"${'y'.repeat(70_000)}"}`), { status: 413, text: /65536 bytes/ });
  t.equal((await request('GET', '/rep')).text, rep(...first));
});

t.test('POST /add with a body that does not end is cut off', async (t) => {
  const client = await connectRaw(program.port);
  client.send('POST /add HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
  const sizeBytes = 2 ** 20;
  const chunk = Buffer.from(`${sizeBytes.toString(16)}\r\n${'y'.repeat(sizeBytes)}\r\n`);
  let sentChunks = 0;
  let cut: Error | null | undefined;
  // 16 MiB are read, and buffers on the way take some more, but far fewer than this.
  while (!cut && sentChunks < 64) {
    cut = await new Promise<Error | null | undefined>((resolve) => client.socket.write(chunk, resolve));
    sentChunks += 1;
  }
  client.socket.destroy();
  t.ok(cut && sentChunks > 16, `ended after ${sentChunks} MiB`);
  t.equal((await request('GET', '/rep')).text, rep(...first));
});

t.test('POST /add: the old ones, then the new in the order of the payload', async (t) => {
  const answer = await request('POST', '/add', { n: 4, hostnames: ['S5', 'S4', 'S10', 'S11'] });
  t.equal(answer.text, rep(...first, 'S5', 'S4', 'S10', 'S11'));
  t.match(answer, { status: 200, type: 'application/json' });
  const seen = new Set<string>();
  for (let count = 0; count < 100; count++) seen.add((await request('GET', '/home')).text);
  t.equal(seen.size, 7, 'all of them take requests');
});

t.test('POST /add of a hostname that is there counts as done', async (t) => {
  t.equal((await request('POST', '/add', { n: 1, hostnames: ['s5'] })).text, rep(...first, 'S5', 'S4', 'S10', 'S11'));
});

t.test('DELETE /rm: what is named goes, what is not named is picked at random', async (t) => {
  const answer = await request('DELETE', '/rm', { n: 3, hostnames: ['S5', 'S4'] });
  const { message } = JSON.parse(answer.text) as { message: { N: number; replicas: string[] } };
  t.equal(message.N, 4);
  t.equal(message.replicas.length, 4);
  t.notOk(message.replicas.includes('S5') || message.replicas.includes('S4'));
});

t.test('DELETE /rm passes over unknown hostnames, and fills with others', async (t) => {
  const before = await program.hostnames();
  const { text } = await request('DELETE', '/rm', { n: 2, hostnames: ['nobody', before[1]] });
  const after = (JSON.parse(text) as { message: { replicas: string[] } }).message.replicas;
  t.equal(after.length, 2);
  t.notOk(after.includes(before[1] as string));
  const [instead] = before.filter((hostname) => hostname !== before[1] && !after.includes(hostname));
  const told = await program.logged((line) => line.event === 'removal-picked' && line.notThere !== undefined);
  t.match(told, { level: 'warn', picked: [instead], notThere: ['nobody'], safely: '/rm?only-named' });
});

t.test('POST /add without hostnames: random names with `server` in them, of word characters', async (t) => {
  const { text } = await request('POST', '/add', { n: 2, hostnames: ['named'] });
  const after = (JSON.parse(text) as { message: { replicas: string[] } }).message.replicas;
  t.equal(after.length, 4);
  t.equal(after[2], 'named');
  t.match(after[3], /^server_\w+$/);
});

t.test('the balancer’s own endpoints keep the rules of HTTP', async (t) => {
  const raw = (text: string) => exchangeRaw(program.port, text);
  t.match(await raw(`GET http://any/rep HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`), /^HTTP\/1.1 200 .*"N":4/s);
  t.match(await raw('GET /rep HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'), /^HTTP\/1.1 400 .*more than one Host/s);
  const client = await connectRaw(program.port);
  client.send('POST /add HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n');
  await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/);
  client.send('{"n":0}');
  await client.until(/HTTP\/1.1 400 .*n must be/s);
  client.socket.destroy();
});

t.test('changes that overlap are made one after the other', async (t) => {
  // Each request arrives while the change before it is still being made.
  const asked = [
    ['POST', '/add', { n: 1, hostnames: ['O1'] }],
    ['POST', '/add', { n: 1, hostnames: ['O2'] }],
    ['DELETE', '/rm', { n: 1, hostnames: ['O1'] }],
  ] as const;
  const under: ReturnType<typeof request>[] = [];
  for (const change of asked) {
    under.push(request(change[0], change[1], change[2]));
    // Once these are answered, the change has arrived too.
    for (let count = 0; count < 3; count++) await request('GET', '/rep');
  }
  const answers = await Promise.all(under);
  const names = answers.map(({ text }) =>
    (JSON.parse(text) as { message: { replicas: string[] } }).message.replicas.slice(4),
  );
  t.same(names, [['O1'], ['O1', 'O2'], ['O2']]);
});

t.test('DELETE /rm of more than there are removes all; then 503 with Retry-After until there are some', async (t) => {
  t.equal((await request('DELETE', '/rm', { n: 10_000 })).text, rep());
  const answer = await request('GET', '/home');
  t.match(answer, { status: 503, type: 'application/json' });
  t.match(answer.text, /^{"message":"<Error> .*","status":"failure"}$/);
  t.equal(answer.headers.get('retry-after'), '1');
  t.equal((await request('DELETE', '/rm', { n: 1 })).text, rep(), 'of nothing, nothing');
  t.equal((await request('POST', '/add', { n: 1, hostnames: ['back'] })).text, rep('back'));
  t.equal((await request('GET', '/home')).text, '{"message":"Hello from Server: back","status":"successful"}');
});
