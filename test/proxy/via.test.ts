import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { played } from '../fixtures/played.ts';
import { startProxy } from '../fixtures/proxy.ts';
import { connectRaw, exchangeRaw } from '../fixtures/raw-client.ts';
import { reply } from '../fixtures/scripted-replica.ts';

const head = (method: string, fields = '') => `${method} / HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;

for (const via of [true, false]) {
  t.test(`--via ${via ? 'on' : 'off'}: requests, replies, a 101 and the last hop`, async (t) => {
    const { replica, proxy } = await played(t, { via }, (socket, text) =>
      socket.write(
        text.includes('Upgrade')
          ? 'HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n'
          : reply('ok', 'Via: 1.1 theirs\r\n'),
      ),
    );
    const count = via ? 1 : 0;
    const ours = (text: string) => text.match(/^Via: 1\.1 ringmaster\r$/gm)?.length ?? 0;
    const answer = await exchangeRaw(proxy.port, head('GET', 'Connection: close\r\nVia: 1.0 other\r\n'));
    t.equal(ours(answer), count, 'a reply');
    t.match(answer, /^Via: 1\.1 theirs\r$/m, 'what others say passes');
    t.equal(ours(replica.received[0] ?? ''), count, 'a request');
    t.match(replica.received[0], /^Via: 1\.0 other\r$/m);
    const last = await exchangeRaw(proxy.port, head('OPTIONS', 'Connection: close\r\nMax-Forwards: 0\r\n'));
    t.equal(ours(last), count, 'the last hop');
    const client = await connectRaw(proxy.port);
    client.send(head('GET', 'Connection: Upgrade\r\nUpgrade: test\r\n'));
    t.equal(ours(await client.until(/\r\n\r\n$/)), count, 'a 101');
    client.socket.destroy();
  });
}

const NGINX = '/usr/sbin/nginx';
const CONFIGURATION = (dir: string) => `
daemon off; master_process off; pid ${dir}/pid; error_log /dev/null crit;
events { worker_connections 64; }
http {
  access_log off; client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f;
  uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  gzip on; gzip_min_length 1; default_type text/html;
  server { listen unix:${dir}/socket; location / { return 200 "${'compress me '.repeat(100)}"; } }
}`;

t.test(
  'an nginx behind compresses with `off`',
  { skip: existsSync(NGINX) ? false : 'nginx is not installed' },
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'via-'));
    await writeFile(join(dir, 'nginx.conf'), CONFIGURATION(dir));
    const nginx = spawn(NGINX, ['-p', dir, '-c', join(dir, 'nginx.conf')], { stdio: 'ignore' });
    const exited = once(nginx, 'exit');
    t.teardown(async () => {
      nginx.kill('SIGKILL');
      await exited;
      await rm(dir, { recursive: true, force: true });
    });
    // Another process, which says nothing when it listens.
    while (!existsSync(join(dir, 'socket')) && nginx.exitCode === null) await sleep(10);
    for (const via of [true, false]) {
      const proxy = await startProxy([{ type: 'unix', path: join(dir, 'socket') }], { via });
      const answer = await exchangeRaw(proxy.port, head('GET', 'Connection: close\r\nAccept-Encoding: gzip\r\n'));
      t.match(answer, /^HTTP\/1.1 200 /);
      t.equal(/^Content-Encoding: gzip\r$/m.test(answer), !via, `--via ${via ? 'on' : 'off'}`);
      await proxy.close();
    }
  },
);
