import { networkInterfaces } from 'node:os';
import t from 'tap';
import { freePort } from '../../bench/harness/ports.ts';
import { type Program, startProgram } from '../../bench/harness/program.ts';
import { type AccessRules, checkAccess, checkCredentials, needsToken } from '../../lib/admin/access.ts';
import type { BalancerError } from '../../lib/errors.ts';
import { type AccessRequest, mayBeTold } from '../../lib/http/credentials.ts';
import { exchangeRaw } from '../fixtures/raw-client.ts';
import { reply, scriptedReplica } from '../fixtures/scripted-replica.ts';

const LOOPBACK: AccessRules = { host: '127.0.0.1', machine: 'box', token: undefined, refusesProxied: true };
const ANYWHERE: AccessRules = { ...LOOPBACK, host: '0.0.0.0' };
const TOKEN: AccessRules = { ...ANYWHERE, token: 'right' };

const verdict = (headers: AccessRequest['headers'], rules: AccessRules, url = '/add') => {
  try {
    checkAccess({ url, headers }, rules);
    return 'allowed';
  } catch (error) {
    return (error as BalancerError).status;
  }
};

t.test('a token is needed where more than this machine reaches the port, and wherever one is given', async (t) => {
  t.same(
    ['127.0.0.1', '127.1.2.3', '::1', 'localhost', '0.0.0.0', '::', '10.0.0.1', 'example.org'].map((host) =>
      needsToken({ mode: 'auto', host, tokenGiven: false, proxied: false }),
    ),
    [false, false, false, false, true, true, true, true],
  );
  const loopback = { host: '127.0.0.1', tokenGiven: false, proxied: false };
  t.ok(needsToken({ ...loopback, mode: 'auto', tokenGiven: true }));
  t.ok(needsToken({ ...loopback, mode: 'auto', proxied: true }));
  t.ok(needsToken({ ...loopback, mode: 'token' }));
  t.notOk(needsToken({ mode: 'open', host: '0.0.0.0', tokenGiven: true, proxied: true }));
});

t.test('a program says nothing of where it comes from, and may', async (t) => {
  t.equal(verdict({ host: 'localhost:5000' }, LOOPBACK), 'allowed');
  t.equal(verdict({}, LOOPBACK), 'allowed', 'HTTP/1.0 without a Host');
});

t.test('a page of another origin may not, with or without a token', async (t) => {
  const host = 'localhost:5000';
  for (const origin of [
    'http://evil.example',
    'http://localhost',
    'http://localhost:3000',
    'http://localhost:5000.evil.example',
    'http://127.0.0.1:5000',
    'http://localhost:5000@evil.example',
    'file://localhost:5000',
    'null',
    '',
    'http://localhost:5000, http://evil.example',
  ]) {
    t.equal(verdict({ host, origin }, LOOPBACK), 403, origin);
    t.equal(verdict({ host, origin, authorization: 'Bearer right' }, TOKEN), 403, `${origin} with the token`);
  }
  t.equal(verdict({ host, 'sec-fetch-site': 'cross-site' }, LOOPBACK), 403);
  t.equal(verdict({ host, 'sec-fetch-site': 'same-site' }, LOOPBACK), 403);
});

t.test('the balancer’s own page may', async (t) => {
  const site = { 'sec-fetch-site': 'same-origin' };
  t.equal(verdict({ host: 'localhost:5000', origin: 'http://localhost:5000', ...site }, LOOPBACK), 'allowed');
  t.equal(verdict({ host: 'LocalHost', origin: 'http://localhost:80' }, LOOPBACK), 'allowed');
  t.equal(verdict({ host: 'box', origin: 'https://box:443' }, LOOPBACK), 'allowed', 'behind something that ends TLS');
  t.equal(verdict({ host: '[::1]:5000', origin: 'http://[::1]:5000' }, LOOPBACK), 'allowed');
  t.equal(verdict({ host: 'localhost:5000', 'sec-fetch-site': 'none' }, LOOPBACK), 'allowed', 'an address typed in');
});

t.test('a Host that is not ours may not: its name was made to resolve to this machine', async (t) => {
  const hosts = (rules: AccessRules, ...names: string[]) => names.map((host) => verdict({ host }, rules));
  t.same(
    hosts(LOOPBACK, 'localhost', 'localhost:1', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000', 'box:5000'),
    Array(6).fill('allowed'),
  );
  t.same(
    hosts(LOOPBACK, 'evil.example', 'evil.example:5000', 'localhost.evil.example', '127.0.0.1.evil.example'),
    Array(4).fill(403),
  );
  t.same(hosts(LOOPBACK, '10.0.0.1', '[fe80::1]', 'localhost.', '127.0.0.1:5000:1'), Array(4).fill(403));
  t.same(hosts(ANYWHERE, 'localhost:5000', '10.0.0.1:5000', '[fe80::1]', 'balancer', 'box'), Array(5).fill('allowed'));
  t.same(hosts(ANYWHERE, 'evil.example', 'box.evil.example'), Array(2).fill(403));
  t.equal(verdict({ host: 'other' }, LOOPBACK), 'allowed', 'a name that nobody can register, and no browser');
  for (const mark of [{ origin: 'http://other' }, { 'sec-fetch-site': 'same-origin' }]) {
    t.equal(verdict({ host: 'other', ...mark }, LOOPBACK), 403, 'the same by a browser');
    t.equal(verdict({ host: 'evil.example', origin: 'http://evil.example' }, ANYWHERE), 403);
  }
  t.equal(verdict({ host: 'lb.example' }, { ...ANYWHERE, host: 'lb.example' }), 'allowed', 'the name of --host');
  t.equal(verdict({ host: 'localhost' }, LOOPBACK, 'http://evil.example/add'), 403, 'an absolute target says it too');
});

t.test('a token is asked for as a bearer token, whole and exact', async (t) => {
  const given = (authorization?: string) => verdict({ host: 'lb.example', authorization }, TOKEN);
  t.same(['Bearer right', 'bearer right', 'Bearer  right'].map(given), Array(3).fill('allowed'));
  t.same(
    [undefined, '', 'Bearer', 'Bearer ', 'Bearer wrong', 'Bearer righ', 'Bearer rightt', 'Bearer RIGHT', 'right'].map(
      given,
    ),
    Array(9).fill(401),
  );
  t.equal(given('Basic cmlnaHQ6'), 401);
  t.equal(given('Bearer right right'), 401);
});

t.test('without a token, nothing that came through a proxy is let in, and it is said by what it is seen', async (t) => {
  for (const [name, shown] of [
    ['via', 'Via'],
    ['forwarded', 'Forwarded'],
    ['x-forwarded-for', 'X-Forwarded-For'],
    ['x-forwarded-anything', 'X-Forwarded-Anything'],
    ['x_forwarded_for', 'X_forwarded_for'],
    ['x.forwarded.for', 'X.forwarded.for'],
    ['x-forwarded~for', 'X-Forwarded~for'],
    ['x-real-ip', 'X-Real-Ip'],
    ['x.real_ip', 'X.real_ip'],
  ] as const) {
    const request: AccessRequest = { url: '/add', headers: { host: 'localhost', [name]: '' } };
    t.throws(
      () => checkAccess(request, LOOPBACK),
      { code: 'unauthorized', message: `through a proxy (${shown})` },
      name,
    );
    t.equal(mayBeTold(request, { needsToken: false, token: undefined, refusesProxied: true }), 'no');
    t.equal(verdict(request.headers, { ...LOOPBACK, refusesProxied: false }), 'allowed', '--admin open');
    t.equal(verdict({ ...request.headers, authorization: 'Bearer right' }, TOKEN), 'allowed');
  }
  const bare = { url: '/add', headers: { host: 'localhost', connection: 'close' } };
  t.throws(() => checkAccess({ ...bare, httpVersion: '1.0' }, LOOPBACK), {
    message: 'HTTP/1.0 with Connection: close',
  });
  t.doesNotThrow(() => checkAccess({ ...bare, httpVersion: '1.1' }, LOOPBACK));
  t.doesNotThrow(() => checkAccess({ url: '/add', headers: { host: 'localhost', 'x-forwarded': '1' } }, LOOPBACK));
});

t.test('two Authorization fields are none', async (t) => {
  const fields = (...names: string[]) => ({ headers: {}, rawHeaders: names.flatMap((name) => [name, 'Bearer right']) });
  t.throws(() => checkCredentials(fields('Authorization', 'Host', 'authorization')), { code: 'bad-request' });
  t.doesNotThrow(() => checkCredentials(fields('Authorization', 'Proxy-Authorization', 'Authorisation!!')));
});

t.test('the real program', async (t) => {
  const start = async (...args: string[]) => {
    const program = await startProgram(['--replicas', '1', ...args]);
    t.teardown(() => program.stop());
    return program;
  };
  const add = (program: Program, headers: Record<string, string> = {}, path = '/add') =>
    fetch(program.url + path, { method: 'POST', headers, body: '{"n":1}' });
  const hostnames = async (program: Program) => (await program.hostnames()).length;
  const raw = (port: number, head: string) =>
    exchangeRaw(port, `POST /add HTTP/1.1\r\n${head}Connection: close\r\nContent-Length: 7\r\n\r\n{"n":1}`);

  t.test('on loopback: open to programs, closed to pages of others', async (t) => {
    const program = await start();
    t.equal((await add(program)).status, 200);
    t.equal(await hostnames(program), 2);
    const refused = await raw(program.port, 'Host: localhost\r\nOrigin: http://evil.example\r\n');
    t.match(refused, /^HTTP\/1\.1 403 [\s\S]*{"message":"<Error> [^"]+","status":"failure"}$/);
    t.match(await raw(program.port, 'Host: evil.example\r\n'), /^HTTP\/1\.1 403 /);
    t.match(await raw(program.port, 'Host: localhost\r\nOrigin: null\r\n'), /^HTTP\/1\.1 403 /);
    const rm = 'DELETE /rm HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 7\r\n\r\n{"n":1}';
    t.match(await exchangeRaw(program.port, rm), /^HTTP\/1\.1 403 /);
    t.equal(await hostnames(program), 2, 'and nothing is changed');
  });

  t.test('elsewhere: a token that is drawn and printed once, never logged', async (t) => {
    const program = await start('--host', '0.0.0.0', '--log', 'debug');
    const token = /^admin token: (\S{32})$/m.exec(program.output())?.[1] ?? '';
    t.not(token, '');
    const refused = await add(program);
    t.equal(refused.status, 401);
    t.match(refused.headers.get('www-authenticate'), /^Bearer/);
    t.match(await refused.json(), { message: /^<Error> /, status: 'failure' });
    t.equal((await add(program, { authorization: `Bearer ${token}x` })).status, 401);
    t.equal(await hostnames(program), 1, 'reading needs none, and nothing is changed');
    t.equal((await add(program, { authorization: `Bearer ${token}` })).status, 200);
    t.notOk(JSON.stringify(program.log).includes(token));
  });

  t.test('--admin-token is asked for and not printed; --admin open asks for none', async (t) => {
    const given = await start('--admin-token', 's3cret');
    t.notMatch(given.output(), /s3cret|admin token/);
    t.equal((await add(given)).status, 401);
    t.equal((await add(given, { authorization: 'Bearer s3cret' })).status, 200);
    const whatIf = (headers: Record<string, string>) =>
      fetch(`${given.url}/balancer/what-if`, { method: 'POST', headers, body: '{"then":2}' });
    t.equal((await whatIf({})).status, 401, 'what costs much and tells who comes is not for everybody');
    t.equal((await whatIf({ authorization: 'Bearer s3cret' })).status, 200);
    const open = await start('--host', '0.0.0.0', '--admin', 'open');
    t.equal((await add(open)).status, 200);
    t.match(await raw(open.port, 'Host: evil.example\r\n'), /^HTTP\/1\.1 403 /);
  });

  t.test('what came through a proxy, and all where one is trusted, takes the token', async (t) => {
    const program = await start();
    const refused = await add(program, { 'X-Forwarded-For': '203.0.113.9' });
    t.equal(refused.status, 401);
    t.match(await refused.json(), { message: /it came through a proxy \(X-Forwarded-For\).*--admin-token sets one/ });
    t.equal((await add(program, { Via: '1.1 nginx' }, '/balancer/kill')).status, 401);
    t.equal((await add(program)).status, 200, 'a program on this machine may');
    const trusting = await start('--trust-proxy', '10.0.0.1');
    const token = /^admin token: (\S{32})$/m.exec(trusting.output())?.[1] ?? '';
    t.not(token, '');
    t.equal((await add(trusting)).status, 401);
    t.equal((await add(trusting, { authorization: `Bearer ${token}`, forwarded: 'for=a' })).status, 200);
    t.equal((await add(await start('--admin', 'open'), { Via: '1.1 nginx' })).status, 200);
    const twice = 'Authorization: Bearer x\r\nauthorization: Bearer y\r\nHost: localhost\r\n';
    t.match(await raw(program.port, twice), /^HTTP\/1\.1 400 .*more than one Authorization/s);
    const nginx = `POST /add HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 7\r\n\r\n{"n":1}`;
    t.match(await exchangeRaw(program.port, nginx), /^HTTP\/1\.1 401 /);
  });

  t.test('why a request goes where it goes is told to those who may change the fleet', async (t) => {
    const seen: string[] = [];
    const service = await scriptedReplica((socket, head) => {
      seen.push(head);
      socket.write(reply('{}'));
    });
    t.teardown(() => service.close());
    const over = (...args: string[]) => start('--upstream', service.upstream, '--heartbeat-path', 'off', ...args);
    const why = async (program: Program, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${program.url}/home`, { headers: { 'X-Ringmaster-Explain': '1', ...headers } });
      return answer.headers.has('x-ringmaster-owner');
    };
    const right = { authorization: 'Bearer right' };
    const open = await over();
    t.equal(await why(open), true);
    t.equal(await why(open, { 'X-Forwarded-For': '203.0.113.9' }), false);
    t.equal(await why(open, { authorization: 'Bearer app' }), true);
    t.match(seen.at(-1), /authorization: Bearer app\r\n/i, 'what is for the service goes there');
    for (const program of [
      await over('--admin-token', 'right'),
      await over('--trust-proxy', 'loopback', '--admin-token', 'right'),
      await over('--host', '0.0.0.0', '--admin-token', 'right', '--admin-port', String(await freePort())),
    ]) {
      t.equal(await why(program), false);
      t.equal(await why(program, { authorization: 'Bearer wrong' }), false);
      t.equal(await why(program, right), true);
      t.notMatch(seen.at(-1), /right|ringmaster-explain/i, 'the service does not see the token');
      t.equal(await why(program, { ...right, Via: '1.1 nginx' }), true);
    }
    const closed = await over('--host', '0.0.0.0', '--admin-port', String(await freePort()));
    t.equal(await why(closed), false, 'the admin port is open on loopback, the public one to everybody');
  });

  t.test('--admin-port: its endpoints are there, and only there', async (t) => {
    const port = await freePort();
    const program = await start('--host', '0.0.0.0', '--admin-port', String(port));
    t.match(program.output(), new RegExp(`^its own endpoints: http://127\\.0\\.0\\.1:${port}$`, 'm'));
    t.notMatch(program.output(), /admin token/);
    const outside = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const reachable = outside.find((one) => one.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.2';
    await t.rejects(fetch(`http://${reachable}:${port}/rep`), 'nobody else reaches them');
    const admin = { ...program, url: `http://127.0.0.1:${port}` };
    t.equal((await add(admin)).status, 200);
    t.equal((await fetch(`${admin.url}/rep`)).status, 200);
    t.match(await (await fetch(`${program.url}/rep`)).json(), { message: /'\/rep' endpoint does not exist/ });
    t.equal((await add(program)).status, 400, 'a replica answers');
    const other = await fetch(`${admin.url}/home`);
    t.equal(other.status, 404);
    t.match(await other.json(), { status: 'failure' });
    t.match(await raw(port, 'Host: evil.example\r\n'), /^HTTP\/1\.1 403 /);
  });
});
