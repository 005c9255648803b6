// The body of /balancer/roll: what to replace the replicas by, or what becomes of the roll that there is.

import type { Make } from '../core/ports.ts';
import { BalancerError } from '../errors.ts';
import { checkNoMore, parseObject, shown } from './bodies.ts';

export type RollQuestion =
  | { readonly type: 'begin'; readonly make: Make; readonly canaries: number | undefined }
  | { readonly type: 'goOn' | 'undo' | 'hold' };

const EXAMPLE = '{"command": ["node", "app.js"], "canary": 1}';
const VARIABLE = /^[A-Za-z_]\w*$/;

/** Throws `bad-body`. An empty body begins a roll that changes nothing but the replicas. */
export function parseRoll(text: string): RollQuestion {
  const { continue: goOn, undo, hold, ...rest } = text === '' ? {} : parseObject(text, EXAMPLE);
  const [asked, second] = Object.entries({ goOn, undo, hold }).filter(([, value]) => value !== undefined);
  if (asked === undefined) return parseBegin(rest);
  if (asked[1] !== true || second !== undefined) {
    throw refusal('continue, undo or hold must be true, and stand alone');
  }
  checkNoMore(rest);
  return { type: asked[0] as 'goOn' | 'undo' | 'hold' };
}

function parseBegin({ command, env, image, canary, ...rest }: Record<string, unknown>): RollQuestion {
  checkNoMore(rest);
  if (canary !== undefined && !(Number.isInteger(canary) && (canary as number) >= 1)) {
    throw refusal(`canary must be a whole number from 1, not ${shown(canary)}`);
  }
  const make: Make = {
    ...(command === undefined ? {} : { command: parseCommand(command) }),
    ...(env === undefined ? {} : { environment: parseEnvironment(env) }),
    ...(image === undefined ? {} : { image: parseText('image', image) }),
  };
  return { type: 'begin', make, canaries: canary as number | undefined };
}

function parseCommand(command: unknown): readonly [string, ...string[]] {
  if (!Array.isArray(command)) throw refusal(`command must be a list of words, not ${shown(command)}`);
  const [program, ...args] = command.map((word, index) => {
    if (typeof word === 'string' && !word.includes('\0')) return word;
    throw refusal(`command[${index}] must be a text, not ${shown(word)}`);
  });
  return [parseText('command[0]', program), ...args];
}

function parseEnvironment(env: unknown): Readonly<Record<string, string>> {
  if (typeof env !== 'object' || env === null || Array.isArray(env)) {
    throw refusal(`env must be an object with a text for each name, not ${shown(env)}`);
  }
  for (const [name, value] of Object.entries(env)) {
    if (!VARIABLE.test(name)) throw refusal(`env has ${shown(name)}, which is no name of a variable`);
    if (typeof value !== 'string' || value.includes('\0')) {
      throw refusal(`env[${shown(name)}] must be a text, not ${shown(value)}`);
    }
  }
  return env as Record<string, string>;
}

function parseText(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw refusal(`${name} must be a text, not ${shown(value)}`);
}

function refusal(reason: string): BalancerError {
  return new BalancerError('bad-body', reason);
}
