import t from 'tap';
import { parseOptions } from '../../lib/settings/options.ts';
import { farewell, greeting } from '../../lib/terminal/greeting.ts';

const replica = (number: number) =>
  ({
    hostname: `server${number}`,
    seat: number,
    weight: 1,
    address: `127.0.0.1:${3000 + number}`,
    state: 'serving',
    pid: 40_000 + number,
  }) as const;

const NOTHING = { port: 5000, replicas: [replica(1)], whyNone: undefined, drawnToken: undefined };

function lines(words: string, beginning: Partial<Parameters<typeof greeting>[1]> = {}) {
  const options = parseOptions(words === '' ? [] : words.split(' '), {});
  return greeting(options, { ...NOTHING, ...beginning }, (_, text) => text);
}

const line = (label: string, words: string, beginning: Partial<Parameters<typeof greeting>[1]> = {}) =>
  lines(words, beginning).find((one) => one.startsWith(`${label}:`));

t.test('what a newcomer needs', async (t) => {
  t.same(lines('', { replicas: [1, 2, 3].map(replica) }), [
    'ringmaster listens on http://127.0.0.1:5000',
    'dashboard: http://127.0.0.1:5000/balancer/',
    'replicas: server1 (pid 40001), server2 (pid 40002), server3 (pid 40003)',
    'key: none, each request goes by an id of its own (--key)',
    'try: curl http://127.0.0.1:5000/home',
    'stop: Ctrl-C',
  ]);
});

t.test('every line fits into 80 columns, however many replicas there are', async (t) => {
  const many = lines('', { replicas: Array.from({ length: 64 }, (_, index) => replica(index + 1)) });
  t.ok(
    many.every((one) => one.length <= 80),
    many.join('\n'),
  );
  t.match(many.join('\n'), /server12 \(pid 40012\),\s+and 52 more\nkey/);
  t.match(many[3], /^ {10}server\d/);
});

t.test('a replica that does not serve yet says so; without any there is nothing to try', async (t) => {
  const starting = { ...replica(2), pid: undefined, state: 'starting' } as const;
  t.equal(
    line('replicas', '', { replicas: [replica(1), starting] }),
    'replicas: server1 (pid 40001), server2 (starting)',
  );
  const none = lines('', { replicas: [], whyNone: 'no replica: there is none in this fleet' });
  t.same(none.slice(-2), ['no replica: there is none in this fleet', 'stop: Ctrl-C']);
  t.equal(none[2], 'replicas: none');
});

t.test('the key in words', async (t) => {
  t.equal(line('key', '--key client'), 'key: client: same value, same replica');
  t.equal(line('key', '--key json:user.id'), 'key: json user.id: same value, same replica');
  t.equal(line('key', '--key header:x-tenant+path:2'), 'key: header x-tenant and path 2: same value, same replica');
  t.match(
    lines('--key cookie:session,header:X-User,request').join('\n'),
    'key: cookie session, else header X-User, else an id of its own: same value,\n     same replica\n',
  );
});

t.test('addresses lead somewhere from this machine', async (t) => {
  t.equal(lines('--host 0.0.0.0')[0], 'ringmaster listens on http://0.0.0.0:5000');
  t.equal(line('dashboard', '--host 0.0.0.0'), 'dashboard: http://127.0.0.1:5000/balancer/');
  t.equal(line('try', '--host ::'), 'try: curl http://[::1]:5000/home');
  t.equal(line('dashboard', '--admin-port 5001'), 'dashboard: http://127.0.0.1:5001/balancer/');
  t.equal(line('its own endpoints', '--admin-port 5001'), 'its own endpoints: http://127.0.0.1:5001');
  t.equal(line('dashboard', '--admin-socket /run/a.sock'), undefined);
  t.equal(line('its own endpoints', '--admin-socket /run/a.sock'), 'its own endpoints: /run/a.sock');
  t.equal(line('admin token', '', { drawnToken: 'secret' }), 'admin token: secret');
  for (const words of ['-- node app.js', '--upstream a:1', '--runtime docker --docker-image you/app']) {
    t.equal(line('try', words), 'try: curl http://127.0.0.1:5000/');
  }
});

t.test('a lame duck says so, and how to cut that short', async (t) => {
  t.match(farewell(10_000, 0), /^stopping, open requests have 10 s to finish/);
  t.match(farewell(10_000, 5000), /^stopping in 5 s: until then all works.*Ctrl-C again: now$/);
});
