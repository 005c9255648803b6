// Samples as a run would have written them, with numbers that can be checked by eye.

import type {
  Environment,
  RecoverySamples,
  ScaleRound,
  SpeedRound,
  SpeedSamples,
  SpreadRun,
  SpreadSamples,
} from '../../bench/samples.ts';

export const environment: Environment = {
  startedAt: '2026-11-21T12:00:00.000Z',
  commit: 'abc1234',
  changed: false,
  processor: 'a processor',
  cores: 2,
  memoryBytes: 8 * 2 ** 30,
  system: 'Linux 6 x64',
  versions: { Node: '26.10.0' },
  busyRatio: 0.01,
  quick: false,
  runtime: 'process',
};

/** A run in which `counts` were given to server1, server2, … */
export function spreadRun(hash: string, counts: readonly number[], bounded = false): SpreadRun {
  const names = counts.map((_, index) => `server${index + 1}`);
  const slots = 8 * counts.length;
  return {
    hash,
    replicas: counts.length,
    requests: counts.reduce((sum, count) => sum + count, 0),
    bounded,
    counts: Object.fromEntries(names.map((name, index) => [name, counts[index] ?? 0])),
    failed: 0,
    slotShares: Object.fromEntries(names.map((name) => [name, 1 / counts.length])),
    slots,
    points: Array.from({ length: slots / 4 }, (_, index) => ({
      slot: index * 4,
      replica: names[index % names.length] as string,
    })),
  };
}

export const spread: SpreadSamples = {
  environment,
  hash: 'even',
  runs: [
    spreadRun('even', [5000, 5000]),
    spreadRun('even', [3334, 3333, 3333]),
    spreadRun('even', [3400, 3300, 3300], true),
    spreadRun('quadratic', [9500, 500]),
    spreadRun('quadratic', [8000, 1500, 500]),
  ],
};

/** 10 requests a second for 4 s. server1 is killed at 1000 ms, detected at 1050 and replaced at 1300. */
export const recovery: RecoverySamples = {
  environment,
  hash: 'even',
  perSecond: 10,
  replicas: ['server1', 'server2', 'server_new'],
  faults: [
    {
      kind: 'kill',
      replica: 'server1',
      atMs: 1000,
      detectedMs: 1050,
      replacement: 'server_new',
      replacedMs: 1300,
      endMs: 4000,
      keys: [1],
    },
  ],
  requests: Array.from({ length: 40 }, (_, index) => {
    const sentMs = index * 100;
    const key = index % 2;
    if (index === 11) return [key, sentMs, 150, 200, 1] as const;
    if (index === 12) return [key, sentMs, 5, 0, -1] as const;
    return [key, sentMs, 4, 200, key === 0 ? 1 : sentMs < 1000 ? 0 : 2] as const;
  }),
  endpoints: [{ request: 'GET /home', status: 200, answer: '{"message":"<b>"}' }],
};

/** A round of 1000 requests in a second on one core, each taking `micros`. */
export function speedRound(contender: string, micros: number, round = 0, errors = 0): SpeedRound {
  return { contender, bodyBytes: 0, connections: 64, round, requests: 1000, seconds: 1, cpuMs: micros, errors };
}

export const speed: SpeedSamples = {
  environment,
  generator: 'wrk',
  backend: 'nginx 1.22',
  pinned: true,
  rounds: [
    ...[0, 1, 2].flatMap((round) => [
      speedRound('ringmaster', 990 + round, round),
      speedRound('nginx', 900 + round, round),
      speedRound('http-proxy', 1980 + round, round),
    ]),
  ],
  latencies: [
    { contender: 'nginx', perSecond: 300, requests: 600, errors: 0, p50Ms: 0.5, p90Ms: 1, p99Ms: 2 },
    { contender: 'ringmaster', perSecond: 300, requests: 600, errors: 0, p50Ms: 0.5, p90Ms: 1, p99Ms: 2 },
  ],
  scale: [0, 1, 2].flatMap((round) => [
    scaleRound('ringmaster', 1, 3, [1000, 1000], round),
    scaleRound('ringmaster', 2, 3, [1250, 750], round),
    scaleRound('nginx', 1, 3, [500, 500], round),
    scaleRound('nginx', 2, 3, [500, 250], round),
    scaleRound('ringmaster', 1, 1000, [1100, 1100], round),
  ]),
  plans: [{ workers: 1, replicas: 1000, changesMs: [8, 12], quietMs: 2, longestMs: 14, requests: 9000, errors: 0 }],
  missing: {},
  wrong: {},
};

/** A round of 1000 requests in a second, with so many ms of processor time in all and in the busiest thread. */
export function scaleRound(
  contender: string,
  workers: number,
  replicas: number,
  [cpuMs, busiestMs]: readonly [number, number],
  round = 0,
  errors = 0,
): ScaleRound {
  return { contender, workers, replicas, round, requests: 1000, seconds: 1, cpuMs, busiestMs, errors };
}
