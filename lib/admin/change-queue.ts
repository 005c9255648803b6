// The order in which changes of the fleet are made: one after the other. Also decides when a waiting change is dropped.
// What a change does is up to changes.ts.

import type { Clock } from '../core/ports.ts';
import { BalancerError } from '../errors.ts';
import type { Answer } from './answer.ts';

/** The client that waits for the answer to a change. */
export interface WaitingClient {
  /** The connection is closed, so nobody reads the answer. */
  readonly hasGone: () => boolean;
  /**
   * The client has ended its side of the connection. Most have gone then, but some only say that they will send no
   * more.
   */
  readonly hasEnded: () => boolean;
}

/** @param text body of the request. */
export type Run = (text: string, query: URLSearchParams, client: WaitingClient) => Answer | Promise<Answer>;

// Longer than most starts take.
const LONGEST_TURN_MS = 3000;

/**
 * Runs changes one after the other. A change under way is always finished, even if its client has gone, since half a
 * change would be worse. A waiting change is dropped once its client has gone, as the client may have asked again.
 */
export function queueOfChanges(): (change: Run) => Run {
  let last: Promise<unknown> = Promise.resolve();
  let underWay = 0;
  return (change) => (text, query, client) => {
    const hadToWait = underWay > 0;
    underWay += 1;
    const turn = last.then(() => {
      if (client.hasGone() || (hadToWait && client.hasEnded())) {
        throw new BalancerError('change-given-up', 'the client went before its change was begun: nothing was changed');
      }
      return change(text, query, client);
    });
    last = turn
      .catch(() => undefined)
      .finally(() => {
        underWay -= 1;
      });
    return turn;
  };
}

/** Makes changes of the fleet that are refused as long as there is a reason why it is not changed here. */
export function changesHere(whyNot: () => string | undefined): (change: Run) => Run {
  return (change) =>
    (...asked) => {
      const reason = whyNot();
      if (reason !== undefined) throw new BalancerError('follower', reason);
      return change(...asked);
    };
}

/** Does something of ours in its turn among the changes, so that none is under way meanwhile. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** @param inTurn is what `queueOfChanges` gives. */
export function workInTurn(inTurn: (change: Run) => Run): InTurn {
  return async <T>(work: () => Promise<T>) => {
    const done: T[] = [];
    const change: Run = async () => {
      done.push(await work());
      return NO_ANSWER;
    };
    await inTurn(change)('', new URLSearchParams(), OURSELVES);
    return done[0] as T;
  };
}

const NO_ANSWER: Answer = { status: 204, fields: {}, parts: [] };
const OURSELVES: WaitingClient = { hasGone: () => false, hasEnded: () => false };

/** Refuses a change at once while the same one is under way or waits for its turn. */
export function oneAtATime(change: Run, refusal: () => BalancerError): Run {
  let isUnderWay = false;
  return async (...asked) => {
    if (isUnderWay) throw refusal();
    isUnderWay = true;
    try {
      return await change(...asked);
    } finally {
      isUnderWay = false;
    }
  };
}

/**
 * Runs a removal in its turn. If it only ends starts, it runs out of turn after a while: it may end a start that hangs,
 * and must not wait for the change that waits for that start.
 */
export function withPatience(
  clock: Clock,
  inTurn: (change: Run) => Run,
  endsStartsOnly: (text: string) => boolean,
  remove: Run,
): Run {
  return async (...asked) => {
    let done: Answer | Promise<Answer> | undefined;
    const once = () => {
      done ??= remove(...asked);
      return done;
    };
    const turn = Promise.resolve(inTurn(once)(...asked));
    if (!endsStartsOnly(asked[0])) return turn;
    const answered = new AbortController();
    const outOfTurn = clock.sleep(LONGEST_TURN_MS, answered.signal).then(
      () => (endsStartsOnly(asked[0]) ? once() : turn),
      () => turn,
    );
    return Promise.race([turn, outOfTurn]).finally(() => answered.abort());
  };
}
