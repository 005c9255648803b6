// In which order changes of the fleet are made: one after the other, and when one is not begun any more. What a change does is
// changes.ts.

import type { Clock } from '../core/ports.ts';
import { BalancerError } from '../errors.ts';
import type { Answer } from './answer.ts';

/** Who waits for an answer. */
export interface WaitingClient {
  /** Nobody reads the answer any more. */
  readonly hasGone: () => boolean;
  /** It will send nothing more: most have gone then, some only say that this was all. */
  readonly hasEnded: () => boolean;
}

/** @param text body of the request. */
export type Run = (text: string, query: URLSearchParams, client: WaitingClient) => Answer | Promise<Answer>;

// Longer than most starts take.
const LONGEST_TURN_MS = 3000;

/**
 * Changes one after the other. One that is under way is done to its end, whether its client waits or not: half a change would be
 * worse. One that has to wait is not begun once its client has given it up, which may have asked again meanwhile.
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

/**
 * A removal in its turn, or out of it after a while if it ends starts only: what ends a start that hangs must not wait for the change
 * that waits for that start.
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
