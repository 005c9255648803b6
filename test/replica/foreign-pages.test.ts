// What a page of another origin may do with a replica: read /home and /heartbeat, but not vote. The fields are those
// that browsers send.

import t from 'tap';
import { type Asked, startReplica } from '../fixtures/replica.ts';

const HOST = { Host: 'localhost:5000' };
const vote = (headers: Readonly<Record<string, string>>): Asked => ({
  method: 'POST',
  headers: { ...HOST, ...headers },
  body: '{"option":"helm"}',
});

t.test('a vote that a page of another site sends is refused, and nothing is counted', async (t) => {
  const replica = await startReplica(t);
  const text = { 'Content-Type': 'text/plain' };
  for (const headers of [
    { ...text, 'Sec-Fetch-Site': 'cross-site', Origin: 'https://evil.example' },
    { ...text, 'Sec-Fetch-Site': 'cross-site' },
    { ...text, 'Sec-Fetch-Site': 'same-site', Origin: 'http://localhost:8000' },
    // Browsers that send no more than Origin, or use plain HTTP.
    { ...text, Origin: 'https://evil.example' },
    { ...text, Origin: 'http://localhost:8000' },
    { ...text, Origin: 'http://localhost' },
    { ...text, Origin: 'null' },
    { ...text, Origin: 'file://' },
    { 'Content-Type': 'application/x-www-form-urlencoded', Origin: 'http://localhost:5000.evil.example' },
    { 'X-Forwarded-Host': 'localhost:5000', Origin: 'http://evil.example' },
  ]) {
    t.match(await replica.request('/api/vote', vote(headers)), {
      status: 403,
      headers: { 'content-type': 'application/json' },
      text: '{"message":"<Error> the vote was not counted: it comes from a page of another site","status":"failure"}',
    });
  }
  t.match(await replica.request('/api/votes'), { text: /"helm":0/ });
});

t.test('our own page and programs vote as ever', async (t) => {
  const replica = await startReplica(t);
  const accepted = [
    {},
    { 'Content-Type': 'application/x-www-form-urlencoded' },
    { 'Sec-Fetch-Site': 'same-origin', Origin: 'http://localhost:5000' },
    { 'Sec-Fetch-Site': 'none' },
    { Origin: 'http://localhost:5000' },
    { Origin: 'HTTP://LOCALHOST:5000' },
    { Host: 'votes.example', Origin: 'https://votes.example' },
    { Host: 'votes.example:80', Origin: 'http://votes.example' },
    // A proxy in front uses another host name.
    { Host: '127.0.0.1', Origin: 'https://votes.example', 'X-Forwarded-Host': 'votes.example' },
    { Host: '127.0.0.1', Origin: 'https://votes.example', 'Sec-Fetch-Site': 'same-origin' },
  ];
  for (const headers of accepted) t.equal((await replica.request('/api/vote', vote(headers))).status, 200);
  t.match(await replica.request('/api/votes'), { text: new RegExp(`"helm":${accepted.length}`) });
});

t.test('/home and /heartbeat may be read from any origin, and a browser that asks first is told so', async (t) => {
  const replica = await startReplica(t);
  const from = { Origin: 'http://localhost:8000' };
  for (const path of ['/home', '/heartbeat']) {
    const allowed = { 'access-control-allow-origin': '*' };
    t.match(await replica.request(path, { headers: from }), { status: 200, headers: allowed });
    t.match(await replica.request(path, { method: 'HEAD', headers: from }), { status: 200, headers: allowed });
    const asked = { ...from, 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'x-mine' };
    t.match(await replica.request(`${path}?x=1`, { method: 'OPTIONS', headers: asked }), {
      status: 204,
      text: '',
      headers: { ...allowed, 'access-control-allow-methods': /\bGET\b/, 'access-control-allow-headers': '*' },
    });
    t.equal((await replica.request(path, { method: 'POST' })).status, 405);
  }
});

t.test('nothing else may', async (t) => {
  const replica = await startReplica(t);
  const headers = { Origin: 'http://localhost:8000', 'Access-Control-Request-Method': 'POST' };
  for (const path of ['/', '/api/vote', '/api/votes', '/api/votes/stream', '/site/vote.js', '/other']) {
    for (const method of ['OPTIONS', 'HEAD']) {
      const answer = await replica.request(path, { method, headers });
      t.notOk(
        Object.keys(answer.headers).some((name) => name.startsWith('access-control')),
        `${method} ${path}`,
      );
    }
  }
});
