// A reload: reads the configuration file again, together with the command line and the environment of the start, and
// has all parts go by the options that differ, or none. What cannot change while the balancer runs is refused by name.

import { asBalancerError, BalancerError, describe } from '../errors.ts';
import type { Log } from '../log.ts';
import { OptionError, type Options } from '../settings/options.ts';
import { type Difference, differences, differenceText } from './differences.ts';
import type { Current, Takeover, Taker } from './taker.ts';

export interface ReloadPorts {
  /** The options as they would be at a start now; `undefined` if no file was named. Rejects with an OptionError. */
  readonly reread: (() => Promise<Options>) | undefined;
  readonly current: Current;
  /** In the order in which they begin and finish. */
  readonly takers: readonly Taker[];
  /** What a reload would do to the fleet and to the keys. Rejects as a reload would. */
  readonly foresee: (next: Options, before: Options) => Promise<object>;
  readonly log: Log;
}

/** Makes the function that reloads. Reloads must not overlap, and no change of the fleet may be under way. */
export function createReload(ports: ReloadPorts): (isDryRun: boolean) => Promise<unknown> {
  const { current, log } = ports;
  return async (isDryRun) => {
    try {
      const next = await nextOptions(ports);
      const changes = differences(current.options, next);
      checkLive(changes, ports.takers);
      const changed = changes.map(({ option, from, to }) => ({ option, from, to }));
      if (isDryRun) return { dryRun: true, changed, ...(await ports.foresee(next, current.options)) };
      await takeOver(ports, next, changes);
      log.info('config-reloaded', { file: next.config, changed: changes.map(differenceText) });
      return { changed };
    } catch (thrown) {
      const error = refusalOf(thrown);
      if (!isDryRun) log.error('config-refused', { file: current.options.config, reasons: error.message.split('\n') });
      throw error;
    }
  };
}

async function nextOptions({ reread }: ReloadPorts): Promise<Options> {
  if (reread === undefined) {
    throw new BalancerError('no-config', 'there is no file to read again: --config names one at the start');
  }
  return await reread();
}

function checkLive(changes: readonly Difference[], takers: readonly Taker[]): void {
  const refused = changes.flatMap((change) => {
    const taken = takers.some(({ flags }) => flags.includes(change.flag));
    const reason = change.changes === 'live' ? (taken ? undefined : 'nothing takes it over') : change.changes.atStart;
    return reason === undefined ? [] : [`${differenceText(change)} takes a restart: ${reason}`];
  });
  if (refused.length > 0) throw new BalancerError('needs-restart', `${refused.join('\n')}\nnothing was changed`);
}

async function takeOver(
  { current, takers, log }: ReloadPorts,
  next: Options,
  changes: readonly Difference[],
): Promise<void> {
  const before = { ...current };
  const concerned = takers.filter(({ flags }) => changes.some(({ flag }) => flags.includes(flag)));
  const begun: Takeover[] = [];
  try {
    for (const taker of concerned) begun.push(await taker.begin(next, before.options));
    current.options = next;
    for (const takeover of begun) await takeover.finish();
  } catch (error) {
    Object.assign(current, before);
    for (const takeover of begun) {
      await Promise.try(() => takeover.undo()).catch((failure) =>
        log.error('config-not-undone', { reason: describe(failure) }),
      );
    }
    throw error;
  }
}

function refusalOf(thrown: unknown): BalancerError {
  if (thrown instanceof OptionError) return new BalancerError('bad-config', thrown.message, { cause: thrown });
  return asBalancerError(thrown);
}
