// Conversations with language models as data: who asks what and when, the same for the same seed. Tenants have a system
// text each and are unequally busy, by Zipf's law; each turn sends all that was said before. Pure.

import { type Random, random } from '../random.ts';

export interface TrafficShape {
  readonly seed: number;
  readonly tenants: number;
  /** Requests a second on average. */
  readonly perSecond: number;
  readonly seconds: number;
}

export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** One turn of a conversation. */
export interface Turn {
  readonly atMs: number;
  readonly tenant: number;
  readonly conversation: number;
  readonly messages: readonly Message[];
  /** How long the answer will be. */
  readonly answerBytes: number;
}

// Lengths and times lie evenly between the two.
const SYSTEM_BYTES = [2000, 6000] as const;
const QUESTION_BYTES = [100, 500] as const;
const ANSWER_BYTES = [400, 1600] as const;
const PAUSE_MS = [5000, 8000] as const;
const TURNS = [3, 11] as const;
const MEAN_TURNS = (TURNS[0] + TURNS[1]) / 2;
// Conversations begin so long before the first turn that is told, so that all stages of them are there from its start.
const BEFORE_MS = TURNS[1] * PAUSE_MS[1];

/** All turns within the time, in order. */
export function conversations({ seed, tenants, perSecond, seconds }: TrafficShape): Turn[] {
  const chance = random(seed);
  const systems = Array.from({ length: tenants }, (_, tenant) => text(chance, SYSTEM_BYTES, `You work for ${tenant}.`));
  const pick = zipf(tenants);
  const turns: Turn[] = [];
  for (let startMs = -BEFORE_MS, number = 0; startMs < seconds * 1000; number++) {
    startMs += (-Math.log(1 - chance.next()) * 1000 * MEAN_TURNS) / perSecond;
    const tenant = pick(chance.next());
    let messages: readonly Message[] = [{ role: 'system', content: systems[tenant] as string }];
    let atMs = startMs;
    for (let left = Math.round(between(chance, TURNS)); left > 0; left--) {
      messages = [...messages, { role: 'user', content: text(chance, QUESTION_BYTES, `Question ${number}.${left}:`) }];
      const answer = text(chance, ANSWER_BYTES, 'Answer:');
      turns.push({ atMs, tenant, conversation: number, messages, answerBytes: answer.length });
      messages = [...messages, { role: 'assistant', content: answer }];
      atMs += between(chance, PAUSE_MS);
    }
  }
  return turns.filter(({ atMs }) => atMs >= 0 && atMs < seconds * 1000).toSorted((a, b) => a.atMs - b.atMs);
}

/** What an engine works on: all messages as one text. */
export function promptOf(messages: readonly Message[]): string {
  return messages.map(({ role, content }) => `<${role}>${content}`).join('');
}

function between(chance: Random, [least, most]: readonly [number, number]): number {
  return least + chance.next() * (most - least);
}

function text(chance: Random, bytes: readonly [number, number], first: string): string {
  const length = between(chance, bytes);
  let made = first;
  while (made.length < length) made += ` ${chance.below(2 ** 30).toString(36)}`;
  return made;
}

/** Gives each number from 0 to below 1 one of `count` ranks; rank r is 1/(r + 1) times as frequent as the first. */
function zipf(count: number): (chance: number) => number {
  const weights = Array.from({ length: count }, (_, rank) => 1 / (rank + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return (chance) => {
    let left = chance * total;
    const rank = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    return rank === -1 ? count - 1 : rank;
  };
}
