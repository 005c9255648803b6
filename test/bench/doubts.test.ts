import t from 'tap';
import type { SpeedRound } from '../../bench/samples.ts';
import { doubtsAbout } from '../../bench/warnings.ts';
import { environment, recovery, speed, speedRound, spread, spreadRun } from './samples.ts';

const timesMicros = (...micros: number[]) => micros.map((one, round) => speedRound('ringmaster', one, round));
const doubtsOfRounds = (rounds: readonly SpeedRound[]) => doubtsAbout({ speed: { ...speed, rounds } });

t.test('a quiet run with enough samples leaves no doubt', async (t) => {
  t.same(doubtsAbout({ spread, recovery, speed }), []);
});

t.test('a busy machine, changed sources and a quick run are told, with the part', async (t) => {
  const doubtful = { ...environment, busyRatio: 0.4, changed: true, quick: true };
  const doubts = doubtsAbout({ spread: { ...spread, environment: doubtful } });
  t.equal(doubts.length, 3);
  t.match(doubts[0], /^spread: other programs used 40 %/);
  t.match(doubts[1], /abc1234/);
  t.match(doubts[2], /quick/);
});

t.test('parts of different commits or machines do not go together', async (t) => {
  const other = { ...environment, commit: 'def5678', cores: 8 };
  const doubts = doubtsAbout({ spread, recovery: { ...recovery, environment: other } });
  t.match(doubts[0], /different commits: abc1234, def5678/);
  t.match(doubts[1], /different machines/);
});

t.test('few requests, and requests that failed', async (t) => {
  const few = { ...spreadRun('even', [1000, 998]), requests: 2000, failed: 2 };
  const doubts = doubtsAbout({ spread: { ...spread, runs: [few] } });
  t.match(doubts[0], /2 requests were not answered/);
  t.match(doubts[1], /only 2000 requests/);
});

t.test('a load that stalled is told, since its requests look as if nothing had gone wrong', async (t) => {
  const requests = recovery.requests.filter(([, sentMs]) => sentMs < 2000 || sentMs > 2800);
  t.same(doubtsAbout({ recovery: { ...recovery, requests } }), [
    'recovery: the load itself stalled, for 1000 ms at most.',
  ]);
});

t.test('a contender is named if it was wrong, missing, erring, unsteady or idle', async (t) => {
  const doubts = doubtsAbout({
    speed: {
      ...speed,
      pinned: false,
      generator: 'autocannon',
      wrong: { httpxy: 'a body did not come whole' },
      missing: { undici: 'npm run bench:peers' },
      rounds: [
        ...speed.rounds,
        speedRound('Caddy', 100, 0),
        speedRound('Caddy', 150, 1),
        speedRound('erring', 900, 0, 1),
      ],
    },
  });
  const told = doubts.join('\n');
  t.match(told, /httpxy was not timed: a body did not come whole/);
  t.match(told, /not compared: undici \(to change that: npm run bench:peers\)/);
  t.match(told, /void, because of errors, no answer in time or too little to measure: erring\./);
  t.match(told, /varied by more than 15 % between rounds: Caddy\./);
  t.match(told, /time to spare.*: Caddy\./);
  t.match(told, /fewer than three rounds/);
  t.match(told, /shared their cores/);
  t.match(told, /autocannon, which tires/);
});

t.test('a system that does not tell processor times is said to be one', async (t) => {
  const rounds = speed.rounds.map(({ cpuMs: _, ...rest }) => rest);
  t.match(doubtsAbout({ speed: { ...speed, rounds } }), ['speed: processor times could not be read here.']);
});

t.test('each limit is where it is said to be', async (t) => {
  const busy = (busyRatio: number) =>
    doubtsAbout({ spread: { ...spread, environment: { ...environment, busyRatio } } });
  t.same(busy(0.1), []);
  t.match(busy(0.11), ['spread: other programs used 11 % of the processor just before the run.']);
  const busyThen = (busyRatioMeanwhile: number) => {
    return doubtsAbout({ spread: { ...spread, environment: { ...environment, busyRatioMeanwhile } } });
  };
  t.same(busyThen(0.1), []);
  t.match(busyThen(0.11), ['spread: other programs used 11 % of the processor during the run.']);
  const asked = (requests: number) => doubtsAbout({ spread: { ...spread, runs: [spreadRun('even', [requests])] } });
  t.same(asked(10_000), []);
  t.match(asked(9999), [/only 9999 requests/]);
  // At 10 requests a second five of them take half a second; at 1,000 the limit is 100 ms.
  const paused = (perSecond: number, pauseMs: number) => {
    const requests = [0, pauseMs].map((sentMs) => [1, sentMs, 1, 200, 0] as const);
    return doubtsAbout({ recovery: { ...recovery, perSecond, requests } });
  };
  t.same(paused(10, 500), []);
  t.match(paused(10, 501), [/stalled, for 501 ms/]);
  t.same(paused(1000, 100), []);
  t.match(paused(1000, 101), [/stalled, for 101 ms/]);
  t.same(doubtsOfRounds(timesMicros(1000, 1000, 1150)), []);
  t.match(doubtsOfRounds(timesMicros(1000, 1000, 1151)), [/varied by more than 15 %/]);
  t.same(doubtsOfRounds(timesMicros(900, 900, 900)), []);
  t.match(doubtsOfRounds(timesMicros(899, 899, 899)), [/time to spare/]);
  t.match(doubtsOfRounds(timesMicros(1000, 1000)), ['speed: fewer than three rounds.']);
  const late = (requests: number) => {
    return doubtsAbout({ speed: { ...speed, latencies: speed.latencies.map((one) => ({ ...one, requests })) } });
  };
  t.same(late(500), []);
  t.same(late(499), ['speed: latencies of fewer than 500 requests: nginx; ringmaster.']);
});

t.test('a side trial is told apart if it is unsteady or has few rounds', async (t) => {
  const large = (...micros: number[]) => {
    return doubtsOfRounds([...speed.rounds, ...timesMicros(...micros).map((one) => ({ ...one, bodyBytes: 65_536 }))]);
  };
  t.same(large(1000, 1000, 1150), []);
  t.same(large(1000, 1000, 1151), [
    'speed, bodies of 64 KiB: processor time varied by more than 15 % between rounds: ringmaster.',
  ]);
  t.same(large(1000, 1000), ['speed: fewer than three rounds of bodies of 64 KiB.']);
});

t.test('what does more than the floor and costs less is told, where it is run by Node and over TCP', async (t) => {
  const beside = (...others: [string, number][]) => {
    const all: [string, number][] = [['bare sockets (the floor)', 1000], ...others];
    return doubtsOfRounds(all.flatMap(([name, micros]) => [0, 1, 2].map((round) => speedRound(name, micros, round))));
  };
  t.same(beside(['ringmaster', 1000], ['nginx', 950], ['ringmaster (Unix sockets)', 950]), []);
  t.same(beside(['ringmaster', 999], ['undici', 998]), [
    'speed, 64 connections: cost less than bare sockets joined in Node: undici; ringmaster.',
  ]);
});
