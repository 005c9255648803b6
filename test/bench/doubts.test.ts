import t from 'tap';
import { doubtsAbout } from '../../bench/warnings.ts';
import { environment, recovery, speed, speedRound, spread, spreadRun } from './samples.ts';

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
