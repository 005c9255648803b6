// `npm run what-if` on logs of others, and with wrong arguments.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { directory, NONE, told, whatIf } from '../fixtures/what-if.ts';

t.setTimeout(590_000);

t.test('combined and Caddy logs are read, packed too, broken lines are counted and told', async (t) => {
  const place = await directory(t);
  const combined = Array.from(
    { length: 100 },
    (_, at) =>
      `10.0.0.${at % 7} - - [27/Nov/2026:10:00:${String(Math.floor(at / 10)).padStart(2, '0')} +0100] "GET /doc/${at % 5}?q=\\x22 HTTP/1.1" 200 ${1000 + at} "-" "curl/8 \\"x\\""`,
  );
  combined[41] = 'nonsense';
  combined[50] = '';
  combined.push('');
  await writeFile(join(place, 'a.log'), combined.join('\n'));
  await writeFile(join(place, 'b'), gzipSync(combined.join('\r\n')));
  const both = [join(place, 'a.log'), join(place, 'b'), '--key', 'path:2', ...NONE];
  const { code, err, out } = await whatIf([...both, '--json']);
  t.equal(code, 0);
  t.match(err, /a\.log:42: is not in the combined form\n.*b:42: is not in the combined form\n/);
  const read = JSON.parse(out);
  t.match(read, {
    requests: 196,
    keyed: 196,
    keys: { value: 5 },
    lines: { broken: 2, empty: 2, withoutDuration: 196 },
  });
  t.match(read.fromMs, Date.UTC(2026, 10, 27, 9));
  t.match(read.hotKeys, [{ label: /^\/doc\/\d\?q="$/, exceedsPart: false }]);
  t.match((await whatIf([...both, '--key', 'cookie:s'])).err, 'what-if: --key: lines of combined do not have cookie:s');

  const caddy = (at: number, cookie: string) =>
    JSON.stringify({
      ...{ level: 'info', ts: 1_796_000_000.25 + at, logger: 'http.log.access.log0', msg: 'handled request' },
      request: {
        ...{
          remote_ip: '10.0.0.1',
          client_ip: '10.0.0.9',
          proto: 'HTTP/2.0',
          method: 'GET',
          host: 'a.example',
          uri: '/x',
        },
        headers: { Cookie: [cookie], 'X-Tenant': [`t${at % 3}`] },
      },
      ...{ bytes_read: 0, user_id: '', duration: 0.25, size: 10_900, status: 200, resp_headers: {} },
    });
  const lines = Array.from({ length: 60 }, (_, at) => caddy(at, at % 2 === 0 ? `s=${at % 8}; t=1` : 'REDACTED')).join(
    '\n',
  );
  t.match(await told(t, ['-', '--key', 'cookie:s', ...NONE], lines), {
    ...{ requests: 60, keyed: 30, keys: { value: 4 }, lines: { hiddenCookies: 30 } },
    fromMs: 1_796_000_000_000,
  });
  t.match(await told(t, ['-', '--key', 'header:x-tenant', ...NONE], lines), { keyed: 60, keys: { value: 3 } });
});

t.test('it finds how many replicas a target takes, which keys no ring can mend, and draws a report', async (t) => {
  const place = await directory(t);
  const line = (at: number) => {
    const key = at % 3 === 0 ? 'hot' : `k${(at * 31) % 499}`;
    return `10.0.0.1 - - [27/Nov/2026:10:00:${String(Math.floor(at / 50)).padStart(2, '0')} +0000] "GET /${key} HTTP/1.1" 200 500 "-" "-"`;
  };
  await writeFile(join(place, 'access.log'), Array.from({ length: 3000 }, (_, at) => line(at)).join('\n'));
  const svg = join(place, 'report.svg');
  const words = [join(place, 'access.log'), '--key', 'path:1', '--now', '2', '--then', '6', '--target-rate', '27'];
  const result = await told(t, [...words, '--hashes', 'even,sha256-md5', '--factors', 'off', '--svg', svg]);
  t.match(result.hotKeys[0], { label: '/hot', exceedsPart: true });
  const [even] = result.needs;
  t.equal(even?.hash, 'even');
  t.ok((even?.replicas as number) >= 2 && (even?.replicas as number) <= 12, `${even?.replicas}`);
  t.match(await told(t, [...words.slice(0, -1), '10', '--hashes', 'even', '--factors', 'off']), {
    needs: [{ replicas: null }],
  });
  const drawn = await readFile(svg, 'utf8');
  t.match(drawn, /^<svg[\s\S]*<title>What if: predictions of a fleet<\/title>[\s\S]*<\/svg>\n$/);
  const printed = await whatIf([...words, '--hashes', 'even', '--factors', 'off']);
  for (const part of [
    /What moves\n/,
    /Replicas that the target takes\n/,
    /Hot keys; .*16\.7 %\n.*\n.*no ring can mend it/,
  ]) {
    t.match(printed.out, part);
  }
});

t.test(
  'a user’s own hash pair is played; wrong arguments are told with exit code 2, and logs without requests with 1',
  async (t) => {
    const place = await directory(t);
    const pair = join(place, 'pair.js');
    await writeFile(
      pair,
      'export const requestSlot = () => 0;\nexport const virtualNodeSlot = (place, index) => place * 50 + index;\n',
    );
    const line = '10.0.0.1 - - [27/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 500 "-" "-"\n'.repeat(20);
    const { situations } = await told(t, ['-', '--key', 'path', '--hash', pair, ...NONE], line);
    t.same(
      situations[0]?.seats.map(({ requests }) => requests),
      [20, 0, 0],
    );
    const wrong: [string[], RegExp][] = [
      [[], /name a log/],
      [['-', '--now', '0'], /--now takes a number of replicas from 1/],
      [['-', '--then', '3-1'], /--then takes/],
      [['-', '--cache', '2XB'], /--cache takes sizes/],
      [['-', '--key', 'nonsense'], /--key takes .*nonsense/],
      [['-', '--object', 'nonsense'], /--object takes .*nonsense/],
      [['-', '--change', 'later=4'], /--change takes TIME=N/],
      [['-', '--hashes', 'sha1'], /--hashes takes .*sha1/],
      [['-', '--factors', '0.5'], /--factors takes/],
      [['-', '--format', 'xml'], /--format takes/],
      [['-', '--target-hits', '101'], /--target-hits takes a number from 0 to 100/],
      [['-', '--target-rate', '5', '--most', '300'], /more than 400: narrow/],
      [['-', '--nonsense'], /--nonsense/],
    ];
    for (const [words, message] of wrong) {
      const { code, err, out } = await whatIf(words);
      t.match({ code, err, out }, { code: 2, err: message, out: '' }, words.join(' '));
    }
    t.match(await whatIf(['/nonsense/access.log']), { code: 1, err: /ENOENT/ });
    t.match(await whatIf(['-'], 'x\ny\n'), {
      code: 1,
      err: /standard input:1: is in none of the forms[\s\S]*no request/,
    });
    t.match(await whatIf(['--help']), { code: 0, out: /^Usage: npm run what-if/ });
  },
);
