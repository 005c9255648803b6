// Takes over what a plan carries: the hash, and how requests are treated and logged. A reload of these is one new plan.

import type { RingKeeper } from '../core/ring/ring-keeper.ts';
import type { Publisher } from '../fleet/publisher.ts';
import type { AdjustableLog } from '../log.ts';
import { descriptorLimit, shareDescriptors, warnOfShares } from '../parts/descriptors.ts';
import { accessFileOf, descriptorWishes, trafficSettings } from '../parts/limits.ts';
import { hashOf, loadHashPair } from '../settings/hash-source.ts';
import type { Options } from '../settings/options.ts';
import type { Current, Taker } from './taker.ts';

const FLAGS = [
  ...[
    'hash',
    'key',
    'issue-cookie',
    'cookie-max-age',
    'balance-factor',
    'balance-floor',
    'balance-by',
    'slow-start',
    'ease-outliers',
  ],
  ...['max-connections', 'max-requests-per-connection', 'head-timeout', 'keep-alive-timeout', 'min-upload-rate'],
  ...['client-half-close', 'reply-timeout', 'request-timeout', 'body-timeout', 'tunnel-idle-timeout'],
  ...['rehome-tunnels', 'queue'],
  ...['queue-timeout', 'overload-wait', 'shed-first', 'max-attempts', 'retry-budget', 'quarantine', 'connect-timeout'],
  ...['replica-idle-timeout'],
  ...['replica-keep-alive', 'max-in-flight', 'max-tunnels', 'max-body-size', 'underscores', 'via', 'explain-header'],
  ...['access-log', 'access-log-format', 'access-log-file', 'traceparent'],
];

export interface TrafficPorts {
  readonly current: Current;
  readonly rings: RingKeeper;
  readonly publisher: Publisher;
  /** Writes the access log there from now on. Rejects if that cannot be opened. */
  readonly useAccessFile: (path: string | undefined) => Promise<void>;
  readonly log: AdjustableLog;
}

export function trafficTaker({ current, rings, publisher, useAccessFile, log }: TrafficPorts): Taker {
  const goBy = (options: Options) => {
    rings.change({ pair: current.pair, slowStartMs: options.slowStartMs });
    const shares = shareDescriptors(descriptorLimit(), descriptorWishes(options));
    return publisher.change({ hash: hashOf(options), traffic: trafficSettings(options, shares) });
  };
  return {
    flags: FLAGS,
    begin: async (next, before) => {
      // Also says whether it is a pair at all.
      const pair = next.hash === before.hash ? current.pair : await loadHashPair(next);
      await useAccessFile(accessFileOf(next));
      return {
        finish: async () => {
          current.pair = pair;
          await goBy(next);
          if (next.maxConnections !== before.maxConnections) {
            warnOfShares(descriptorLimit(), descriptorWishes(next), log);
          }
        },
        undo: async () => {
          await goBy(before);
          await useAccessFile(accessFileOf(before));
        },
      };
    },
  };
}

/** @param tellWorkers tells other threads of the new level. */
export function logTaker(log: AdjustableLog, tellWorkers: () => void): Taker {
  const goBy = (options: Options) => {
    log.level = options.log;
    tellWorkers();
  };
  return {
    flags: ['log'],
    begin: async (next, before) => ({ finish: () => goBy(next), undo: () => goBy(before) }),
  };
}
