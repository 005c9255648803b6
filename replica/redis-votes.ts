// Keeps the votes in Redis, for replicas on several machines. A vote and its key are counted by one script, which Redis
// runs as a whole or not at all. Redis decides how durable a counted vote is: with `appendonly yes` and `appendfsync
// always` it is as durable as in SQLite.

import { createRedisClient, LostReply } from './redis-client.ts';
import {
  type Counts,
  KEY_LIFETIME_SECONDS,
  keyReused,
  MAX_KEYS,
  OPTIONS,
  type Option,
  PATIENCE_MS,
  type Votes,
  VotesError,
} from './votes.ts';

// The braces keep all of these in one slot of a Redis Cluster.
const VOTES = '{ringmaster}:votes';
const KEY_PREFIX = '{ringmaster}:vote-key:';
// All keys, ordered by the time at which they came.
const KEYS_IN_ORDER = '{ringmaster}:vote-keys';

// ARGV has the option, how long its key is kept, how many keys are kept, the time, and then all options. KEYS[2] is the
// key, if there is one, and KEYS[3] has all keys in order. The attack: votes under ever new keys, until Redis has no
// memory left (test/replica/redis-votes.test.ts). So for each new key two of the oldest are checked, as in SQLite: the
// number of keys shrinks to what may stay, and no script has much to do.
const ADD = `
  local counted = KEYS[2] and redis.call('GET', KEYS[2])
  if counted and counted ~= ARGV[1] then return 'reused' end
  if not counted then
    redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
    if KEYS[2] then
      redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
      redis.call('ZADD', KEYS[3], ARGV[4], KEYS[2])
      redis.call('EXPIRE', KEYS[3], ARGV[2])
      for _, oldest in ipairs(redis.call('ZRANGE', KEYS[3], 0, 1)) do
        if redis.call('ZCARD', KEYS[3]) > tonumber(ARGV[3]) or redis.call('EXISTS', oldest) == 0 then
          redis.call('ZREM', KEYS[3], oldest)
          redis.call('DEL', oldest)
        end
      end
    end
  end
  return redis.call('HMGET', KEYS[1], unpack(ARGV, 5))`;

/** The votes at `url`. Throws if that is not the URL of a Redis. Connects at the first use. */
export function redisVotes(url: string, maxKeys = MAX_KEYS): Votes {
  const client = createRedisClient(url, PATIENCE_MS);
  const ask = (...command: string[]) =>
    client.send(...command).catch((error: Error) => {
      throw new VotesError(error instanceof LostReply ? 'unanswered' : 'unavailable', error.message, { cause: error });
    });
  return {
    counts: async () => readCounts(await ask('HMGET', VOTES, ...OPTIONS)),
    add: async ({ option, key }) => {
      const keys = key === undefined ? [VOTES] : [VOTES, `${KEY_PREFIX}${key}`, KEYS_IN_ORDER];
      const settings = [option, ...[KEY_LIFETIME_SECONDS, maxKeys, Date.now()].map(String), ...OPTIONS];
      const reply = await ask('EVAL', ADD, String(keys.length), ...keys, ...settings);
      if (reply === 'reused') throw keyReused();
      return readCounts(reply);
    },
    close: () => client.close(),
  };
}

function readCounts(reply: unknown): Counts {
  const counts = Array.isArray(reply) ? reply.map(Number) : [];
  if (counts.length !== OPTIONS.length || !counts.every(Number.isSafeInteger)) {
    throw new VotesError('unavailable', `Redis keeps something else under ${VOTES}`);
  }
  return Object.fromEntries(OPTIONS.map((option, index) => [option, counts[index]])) as Record<Option, number>;
}
