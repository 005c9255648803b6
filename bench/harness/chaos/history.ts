// What a chaos run writes down, on both sides of the balancer: clients what they asked and got, replicas what they were
// asked and answered, the run what it did to them. All times are in ms by the monotonic clock, which all processes of
// the machine share and which nobody can move. The judge reads nothing else.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultKind } from './plan.ts';

/** How the client went about it. Those that left, or ended their side, did not wait for their reply. */
export type Way = 'kept' | 'fresh' | 'pipelined' | 'slow-reader' | 'slow-sender' | 'half-closed' | 'left' | 'burst';

/**
 * What came of a request: a whole reply; a reply that broke; a connection that was reset or ended before any byte of
 * one, or was refused; nothing in time; or nothing because an earlier reply ended the connection.
 */
export type Outcome = 'answered' | 'cut' | 'reset' | 'ended' | 'refused' | 'timeout' | 'unanswered';

/** One request of a client. Each is sent once, under a nonce of its own. */
export interface Asked {
  readonly is: 'asked';
  readonly nonce: string;
  readonly method: string;
  readonly way: Way;
  readonly sentMs: number;
  readonly endMs: number;
  /** Of the body that was sent. */
  readonly bytes: number;
  readonly digest: string;
  /** An earlier request went over the same connection. */
  readonly reused: boolean;
  /** An interim reply came first. */
  readonly interim: boolean;
  readonly outcome: Outcome;
  /** 0 if none came. */
  readonly status: number;
  /** The nonce and the life that the reply names; empty if the balancer itself made it. */
  readonly echo: string;
  readonly life: string;
  readonly replyBytes: number;
  readonly replyDigest: string;
  /** The words of an error. */
  readonly words: string;
}

/** What a replica did. A life is one process: its hostname and something that no other has. */
export type Deed =
  | { readonly is: 'up'; readonly life: string; readonly who: string; readonly pid: number; readonly atMs: number }
  /** The head of a request came. */
  | {
      readonly is: 'begun';
      readonly life: string;
      readonly nonce: string;
      readonly method: string;
      readonly atMs: number;
    }
  /** Its body came whole, so it is executed. What follows is the reply that is meant. */
  | {
      readonly is: 'executed';
      readonly life: string;
      readonly nonce: string;
      readonly atMs: number;
      readonly bytes: number;
      readonly digest: string;
      readonly replyBytes: number;
      readonly replyDigest: string;
    }
  /** The kernel has all of the reply. */
  | { readonly is: 'answered'; readonly life: string; readonly nonce: string; readonly atMs: number }
  /** It was told to do it wrong. */
  | {
      readonly is: 'spoilt';
      readonly life: string;
      readonly nonce: string;
      readonly how: string;
      readonly atMs: number;
    };

/** What the run did, or saw in the log. */
export type Happening =
  | {
      readonly is: 'fault';
      readonly kind: FaultKind;
      /** The replica that it befell; empty if none. */
      readonly who: string;
      readonly beganMs: number;
      readonly endedMs: number;
      /** When the fleet was whole again; absent if it was not within the bound. */
      readonly wholeMs?: number;
    }
  /** A line of the log that counts. */
  | { readonly is: 'log'; readonly event: string; readonly who: string; readonly atMs: number; readonly words: string }
  /** `/rm` was answered with 200. */
  | { readonly is: 'removed'; readonly who: string; readonly askedMs: number; readonly atMs: number }
  /** This machine kept the run from running for so long. */
  | { readonly is: 'lag'; readonly atMs: number; readonly forMs: number };

export interface History {
  readonly asked: readonly Asked[];
  readonly deeds: readonly Deed[];
  readonly happenings: readonly Happening[];
}

/** By the clock that all processes of a machine share. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** Reads the files of a run's directory. A line that is torn, as that of a killed process may be, is none. */
export function readHistory(directory: string): History {
  const lines = readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readLines(join(directory, name)));
  const of = <T extends Asked | Deed | Happening>(...kinds: readonly T['is'][]) =>
    lines.filter((line): line is T => (kinds as readonly string[]).includes(line.is));
  return {
    asked: of<Asked>('asked'),
    deeds: of<Deed>('up', 'begun', 'executed', 'answered', 'spoilt'),
    happenings: of<Happening>('fault', 'log', 'removed', 'lag'),
  };
}

function readLines(path: string): (Asked | Deed | Happening)[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
}
