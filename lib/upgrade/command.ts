// The command `ringmaster upgrade`: asks the balancer that runs to have another process take its place, at the endpoint
// that its options name, and says how that goes. Another program could do the same with two requests.

import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { BalancerError } from '../errors.ts';
import { loadSettings } from '../settings/file/settings.ts';
import type { Options } from '../settings/options.ts';
import type { Ending } from './messages.ts';
import { ownPlace } from './onward.ts';
import type { Taken } from './succession.ts';

const LOOK_EVERY_MS = 200;

/** Rejects if the balancer is not replaced, or if a request was lost. */
export async function askForUpgrade(argv: readonly string[]): Promise<void> {
  const { options } = await loadSettings(argv, process.env);
  const taken = (await ask(options, 'POST', '/balancer/upgrade')) as Taken;
  const { pid, before, replicas, sockets, connections } = taken;
  say(`process ${pid} has taken over from ${before}: ${count(replicas, 'replica')}, ${count(sockets, 'socket')}`);
  say(`process ${before} ends: it had ${count(connections, 'connection')} at that moment`);
  let told = connections;
  for (;;) {
    const ending = (await ask(options, 'GET', '/balancer/upgraded')) as Ending | null;
    if (ending?.pid === before && ending.phase !== 'ending') {
      const { lost } = ending;
      say(
        `process ${before} has ended: ${connections - lost} of ${count(connections, 'connection')} in order, lost: ${lost}`,
      );
      if (lost > 0)
        throw new BalancerError('upgrade-failed', `${count(lost, 'request')} outlasted --grace and were cut`);
      return;
    }
    if (ending !== null && ending.left < told) {
      told = ending.left;
      say(`${count(told, 'connection')} left`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

function ask(options: Options, method: 'GET' | 'POST', path: string): Promise<unknown> {
  const token = options.adminToken === '' ? {} : { Authorization: `Bearer ${options.adminToken}` };
  const place = ownPlace(options, options.port);
  return new Promise((resolve, reject) => {
    const headers = { ...token, ...('socketPath' in place ? { Host: 'localhost' } : {}) };
    const request = http.request({ ...place, method, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('error', reject);
      response.on('end', () => {
        try {
          const { message } = JSON.parse(text);
          if (response.statusCode === 200) resolve(message);
          else reject(new BalancerError('upgrade-failed', String(message).replace('<Error> ', '')));
        } catch {
          reject(new BalancerError('upgrade-failed', `what answers there is no ringmaster that can be upgraded`));
        }
      });
    });
    request.on('error', (error) => {
      const where = 'socketPath' in place ? place.socketPath : `${place.host}:${place.port}`;
      const hint = 'name it as it was started, with --port, --admin-port or --admin-socket';
      reject(new BalancerError('upgrade-failed', `no balancer answers at ${where} (${error.message}): ${hint}`));
    });
    request.end();
  });
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

function say(line: string): void {
  console.log(line);
}
