// One replica over HTTP: votes as a client sees them, the stream of counts, and the files of the site.

import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { redisMissing, startRedis, tlsMissing } from '../fixtures/redis.ts';
import { SCRIPT, startReplica } from '../fixtures/replica.ts';

const POST = { method: 'POST' } as const;
const vote = (option: string, key?: string) => ({
  ...POST,
  headers: key === undefined ? {} : { 'Idempotency-Key': key },
  body: JSON.stringify({ option }),
});

/** Resolves with all that has come of a stream once it fits. */
async function until(stream: IncomingMessage & { seen?: string }, fits: RegExp): Promise<string> {
  stream.seen ??= '';
  while (!fits.test(stream.seen)) {
    const bytes = stream.read();
    if (bytes !== null) stream.seen += bytes;
    else if (stream.readableEnded) throw new Error(`the stream ended with ${stream.seen}`);
    else await Promise.race([once(stream, 'readable'), once(stream, 'end')]);
  }
  return stream.seen;
}

t.test('a vote with a key is counted once, one without it each time; the answer says who gave it', async (t) => {
  const replica = await startReplica(t);
  const votes = (helm: number) => `{"votes":{"docker":0,"helm":${helm},"kubernetes":0,"prometheus":0}}`;
  t.equal((await replica.request('/api/vote', vote('helm'))).text, votes(1));
  t.equal((await replica.request('/api/vote', vote('helm', 'a'))).text, votes(2));
  const again = await replica.request('/api/vote', vote('helm', 'a'));
  t.match(again, { status: 200, text: votes(2), headers: { 'x-served-by': 'server1' } });
  t.equal((await replica.request('/api/vote', vote('helm'))).text, votes(3));
  t.equal((await replica.request('/api/votes')).text, '{"docker":0,"helm":3,"kubernetes":0,"prometheus":0}');
});

t.test('a key that is none, or was used for another option, is refused and nothing is counted', async (t) => {
  const replica = await startReplica(t);
  await replica.request('/api/vote', vote('helm', 'a'));
  t.match(await replica.request('/api/vote', vote('docker', 'a')), {
    status: 422,
    text: '{"message":"<Error> the vote was not counted: its Idempotency-Key was used for a vote for another option","status":"failure"}',
  });
  for (const key of ['', 'a b', 'x'.repeat(201)]) {
    t.match(await replica.request('/api/vote', vote('docker', key)), {
      status: 400,
      text: '{"message":"<Error> Idempotency-Key must be 1 to 200 visible ASCII characters","status":"failure"}',
    });
  }
  t.equal((await replica.request('/api/votes')).text, '{"docker":0,"helm":1,"kubernetes":0,"prometheus":0}');
});

t.test('a store that cannot be used is a 503 with the reason and Retry-After, and then back by itself', async (t) => {
  const data = join((await startReplica(t)).directory, 'data');
  writeFileSync(data, 'in the way');
  const replica = await startReplica(t, { DATA_DIR: data });
  const refused = await replica.request('/api/vote', vote('helm'));
  t.match(refused, { status: 503, headers: { 'retry-after': '1', 'content-type': 'application/json' } });
  t.match(refused.text, /^{"message":"<Error> the vote was not counted: .*data.*","status":"failure"}$/);
  t.match(await replica.request('/api/votes'), { status: 503, text: /<Error> the votes cannot be read: / });
  t.equal((await replica.request('/heartbeat')).status, 200);
  t.equal((await replica.request('/home')).status, 200);
});

t.test('VOTES_URL: a Redis that is not there is a 503 with the reason, and no heartbeat suffers', async (t) => {
  const replica = await startReplica(t, { VOTES_URL: 'redis://127.0.0.1:9' });
  t.match(await replica.request('/api/vote', vote('helm')), { status: 503, text: /Redis at 127.0.0.1:9 cannot be/ });
  t.equal((await replica.request('/heartbeat')).status, 200);
});

t.test('a Redis that hangs: what was counted is not said to be lost', { skip: redisMissing() ?? false }, async (t) => {
  const redis = await startRedis();
  t.teardown(() => redis.close());
  const replica = await startReplica(t, { VOTES_URL: redis.url });
  await replica.request('/api/vote', vote('helm', 'a'));
  redis.process.kill('SIGSTOP');
  const late = await replica.request('/api/vote', vote('helm', 'b'));
  t.equal(late.status, 503);
  t.match(
    late.text,
    /^{"message":"<Error> the vote may have been counted: Redis at \S+ did not answer within 2000 ms; with an Idempotency-Key it is safe to repeat","status":"failure"}$/,
  );
  t.notOk(late.headers['retry-after'], 'nothing invites to vote twice');
  redis.process.kill('SIGCONT');
  t.match(await replica.request('/api/vote', vote('helm', 'b')), { status: 200, text: /"helm":2/ });
});

t.test('a VOTES_URL that is none: exit code 2 and one line, without what may be a password', async (t) => {
  const environment = { ...process.env, VOTES_URL: 'http://:secret@localhost' };
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT], { env: environment, encoding: 'utf8' });
  t.equal(stderr, 'replica: VOTES_URL takes redis[s]://[[user]:password@]host[:port][/database]\n');
  t.equal(status, 2);
});

t.test(
  'Redis over TLS: a certificate that is trusted, and one that is not',
  { skip: tlsMissing() ?? false },
  async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'ringmaster-tls-'));
    const [key, certificate] = [join(directory, 'key.pem'), join(directory, 'certificate.pem')];
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
    execFileSync(
      'openssl',
      [...request, '-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate],
      {
        stdio: 'ignore',
      },
    );
    const tlsPort = await freePort();
    const tls = { 'tls-port': String(tlsPort), 'tls-cert-file': certificate, 'tls-key-file': key };
    const redis = await startRedis('secret', { ...tls, 'tls-auth-clients': 'no' });
    t.teardown(async () => {
      await redis.close();
      rmSync(directory, { recursive: true });
    });
    const VOTES_URL = `rediss://:secret@localhost:${tlsPort}`;
    const trusting = await startReplica(t, { VOTES_URL, NODE_EXTRA_CA_CERTS: certificate });
    t.match(await trusting.request('/api/vote', vote('helm')), { status: 200, text: /"helm":1/ });
    const other = await startReplica(t, { VOTES_URL });
    t.match(await other.request('/api/votes'), { status: 503, text: /cannot be reached: self-signed certificate/ });
  },
);

t.test('without its package the votes are in SQLite, and VOTES_URL says what is missing', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-bare-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  cpSync(dirname(SCRIPT), directory, { recursive: true, filter: (path) => !path.endsWith('node_modules') });
  const script = join(directory, 'main.ts');
  const replica = await startReplica(t, {}, script);
  t.match(await replica.request('/api/vote', vote('helm')), { status: 200, text: /"helm":1/ });
  const environment = { ...process.env, VOTES_URL: 'redis://localhost' };
  const { status, stderr } = spawnSync(process.execPath, [script], { env: environment, encoding: 'utf8' });
  t.equal(stderr, `replica: VOTES_URL takes the package @redis/client: npm ci --prefix ${directory}\n`);
  t.equal(status, 2);
});

t.test('the URL of the votes may be in a file, such as a secret, which has to be there', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'ringmaster-secret-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'VOTES_URL');
  writeFileSync(file, `redis://:hush@127.0.0.1:${await freePort()}\n`);
  const replica = await startReplica(t, { VOTES_URL_FILE: file });
  const { status, text } = await replica.request('/api/votes');
  t.equal(status, 503);
  t.match(text, /127\.0\.0\.1.* cannot be reached/);
  t.notMatch(text, /hush/);
  const environment = { ...process.env, VOTES_URL_FILE: join(directory, 'none') };
  const ended = spawnSync(process.execPath, [SCRIPT], { env: environment, encoding: 'utf8' });
  t.match(ended, { status: 2, stderr: /^replica: ENOENT: .*none/ });
});

t.test(
  'the stream: who serves it, the counts now, and again when they have changed, from other replicas too',
  async (t) => {
    const replica = await startReplica(t);
    const other = await startReplica(t, { DATA_DIR: replica.directory });
    await replica.request('/api/vote', vote('helm'));
    const stream = await replica.open('/api/votes/stream');
    t.match(stream, { statusCode: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' } });
    const first =
      'retry: 500\nevent: replica\ndata: server1\n\ndata: {"docker":0,"helm":1,"kubernetes":0,"prometheus":0}\n\n';
    t.equal(await until(stream, /"helm":1/), first);
    await other.request('/api/vote', vote('docker'));
    t.equal(await until(stream, /"docker":1/), `${first}data: {"docker":1,"helm":1,"kubernetes":0,"prometheus":0}\n\n`);
    const second = await replica.open('/api/votes/stream');
    t.match(await until(second, /prometheus/), /"docker":1,"helm":1/, 'one that comes later has the counts at once');
  },
);

t.test('the stream tells of a store that is away, and of its return', async (t) => {
  const replica = await startReplica(t);
  const path = join(replica.directory, 'votes.sqlite');
  writeFileSync(path, 'no database '.repeat(100));
  const stream = await replica.open('/api/votes/stream');
  await until(stream, /event: trouble\ndata: ".*votes.sqlite is no database"\n\n/);
  writeFileSync(path, '');
  await until(stream, /data: {"docker":0,"helm":0,"kubernetes":0,"prometheus":0}\n\n/);
});

t.test('SIGTERM ends streams in order, and the replica with them', async (t) => {
  const replica = await startReplica(t);
  const stream = await replica.open('/api/votes/stream');
  await until(stream, /prometheus/);
  const exited = once(replica.process, 'exit');
  replica.process.kill('SIGTERM');
  for await (const _ of stream);
  t.ok(stream.complete);
  t.same(await exited, [0, null]);
});

t.test('the pages: types, a strict policy, kept by their tag, HEAD as GET without the body', async (t) => {
  const replica = await startReplica(t);
  for (const [path, type] of [
    ['/', 'text/html'],
    ['/sample', 'text/html'],
    ['/site/site.css', 'text/css'],
    ['/site/vote.css', 'text/css'],
    ['/site/sample.css', 'text/css'],
    ['/site/vote.js', 'text/javascript'],
    ['/site/sample.js', 'text/javascript'],
  ] as const) {
    const got = await replica.request(path);
    t.match(got, { status: 200, headers: { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-cache' } });
    const policy = String(got.headers['content-security-policy']);
    for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"])
      t.ok(policy.split('; ').includes(rule), `${path}: ${rule}`);
    const headers = { 'If-None-Match': `"other", W/${got.headers.etag}` };
    t.match(await replica.request(path, { headers }), { status: 304, text: '', headers: { etag: got.headers.etag } });
    t.match(await replica.request(path, { method: 'HEAD' }), {
      status: 200,
      text: '',
      headers: { 'content-length': String(Buffer.byteLength(got.text)) },
    });
    t.match(await replica.request(path, POST), { status: 405, headers: { allow: 'GET' } });
    if (type !== 'text/html') continue;
    t.notMatch(got.text, /<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/, `${path}: nothing inline`);
    t.notMatch(got.text.replaceAll('http://www.w3.org/2000/svg', ''), /\/\/\w/, `${path}: no other host`);
  }
});

t.test('no answer is taken for what it is not', async (t) => {
  const replica = await startReplica(t);
  for (const path of ['/home', '/heartbeat', '/other', '/api/votes', '/', '/site/vote.js'])
    t.equal((await replica.request(path)).headers['x-content-type-options'], 'nosniff', path);
  const stream = await replica.open('/api/votes/stream');
  t.equal(stream.headers['x-content-type-options'], 'nosniff');
  stream.destroy();
});

t.test('the page has the element ids that older clients look for', async (t) => {
  const { text } = await (await startReplica(t)).request('/');
  for (const id of ['docker-votes', 'helm-votes', 'kubernetes-votes', 'prometheus-votes', 'result-bars', 'status'])
    t.equal(text.split(`id="${id}"`).length, 2, id);
});

t.test('nothing else of the folder is served: the 400 of the contract', async (t) => {
  const replica = await startReplica(t);
  for (const path of ['/site', '/site/', '/site/index.html', '/index.html', '/site/../main.ts', '/favicon.ico']) {
    t.match(await replica.request(path), {
      status: 400,
      text: `{"message":"<Error> '${path}' endpoint does not exist in server replicas","status":"failure"}`,
    });
  }
});
