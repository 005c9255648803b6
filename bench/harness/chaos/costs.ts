// How often each fault was injected, and what it cost: which requests failed, and how long the fleet was not whole.
// Pure.

import type { Asked, Deed, Happening, History } from './history.ts';
import type { FaultKind } from './plan.ts';

export interface Cost {
  readonly kind: FaultKind | 'nothing';
  readonly times: number;
  /** Requests that failed, by how: the status, or what became of the connection. */
  readonly failed: ReadonlyMap<string, number>;
  /** From the end of the fault until the fleet was whole again, in ms. */
  readonly wholeMs: readonly number[];
}

type Fault = Extract<Happening, { is: 'fault' }>;

// A request may fail so much later.
const AFTERMATH_MS = 1500;

/** One for each kind of fault that was injected, and one for failures that belong to none. */
export function costsOf({ asked, deeds, happenings }: History): Cost[] {
  const faults = happenings.filter((one) => one.is === 'fault');
  const byNonce = Map.groupBy(
    deeds.filter((deed) => deed.is !== 'up'),
    ({ nonce }) => nonce,
  );
  const names = new Map(deeds.flatMap((deed) => (deed.is === 'up' ? [[deed.life, deed.who]] : [])));
  const failed = asked.filter(isFailure);
  const byKind = Map.groupBy(failed, (one) => kindFor(one, byNonce.get(one.nonce) ?? [], faults, names));
  const kinds = [...new Set([...faults.map(({ kind }) => kind), ...byKind.keys()])].sort();
  return kinds.map((kind) => {
    const own = faults.filter((fault) => fault.kind === kind);
    const hows = Map.groupBy(byKind.get(kind) ?? [], howOf);
    return {
      kind,
      times: own.length,
      failed: new Map([...hows].map(([how, all]) => [how, all.length])),
      wholeMs: own.flatMap(({ endedMs, wholeMs }) => (wholeMs === undefined ? [] : [wholeMs - endedMs])),
    };
  });
}

/** A client that waited has no whole good reply. */
export function isFailure({ way, outcome, status }: Asked): boolean {
  if (way === 'left' || way === 'half-closed' || outcome === 'unanswered') return false;
  return outcome !== 'answered' || status >= 400;
}

function howOf({ outcome, status }: Asked): string {
  return outcome === 'answered' ? `${status}` : outcome;
}

// What a replica did wrong on purpose is certain; else it is what befell a replica that had the request, or what was
// under way.
function kindFor(
  { sentMs, endMs, outcome }: Asked,
  deeds: readonly Deed[],
  faults: readonly Fault[],
  names: ReadonlyMap<string, string>,
): FaultKind | 'nothing' {
  const meanwhile = faults.filter(({ beganMs, endedMs }) => beganMs <= endMs && endedMs >= sentMs - AFTERMATH_MS);
  const had = new Set(deeds.flatMap((deed) => (deed.is === 'begun' ? [names.get(deed.life) ?? ''] : [])));
  const spoilt = deeds.find((deed) => deed.is === 'spoilt');
  const bySpoilt = meanwhile.find(({ kind }) => spoilt?.is === 'spoilt' && kind === spoilt.how);
  const ofReplica = meanwhile.find(({ who }) => had.has(who));
  const wide = meanwhile.find(({ kind }) => kind === 'outage' || kind === 'descriptors-short');
  const worker = meanwhile.find(({ kind }) => kind === 'worker-killed' && outcome !== 'answered');
  return (bySpoilt ?? worker ?? wide ?? ofReplica ?? meanwhile[0])?.kind ?? 'nothing';
}

/** The costs as lines of a table, widest first word decides. */
export function costTable(costs: readonly Cost[]): string[] {
  const rows = costs.map(({ kind, times, failed, wholeMs }) => [
    kind,
    String(times),
    [...failed].map(([how, count]) => `${count} × ${how}`).join(', ') || 'none',
    wholeMs.length === 0 ? '–' : `${Math.round(middle(wholeMs))} / ${Math.round(Math.max(...wholeMs))}`,
  ]);
  const all = [['fault', 'times', 'requests that failed', 'whole again, median / longest ms'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
