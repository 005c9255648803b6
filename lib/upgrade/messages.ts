// What two processes of ours say to each other in an upgrade, over the channel that Node gives a child: JSON.
//
//   before                        next
//     │ ◀──────────── loaded ──────│  its program is there, and its options are understood
//     │ ───────────── handover ───▶│
//     │ ◀──────────── ready ───────│  requests go by its plan, and it takes connections
//     │ ───────────── commit ─────▶│
//     │ ◀──────────── taken ───────│  the replicas are its own: no way back
//     │ ◀──────────── announced ───│  whoever watches over the process knows that it is another one now
//     │ ───────────── left ───────▶│  again and again, until the one before has no connection and ends

export type FromNext =
  | { readonly type: 'loaded' | 'ready' | 'taken' | 'announced' }
  /** It cannot take over, and ends. */
  | { readonly type: 'failed'; readonly reason: string };

export type FromBefore =
  /** @see handoverText */
  | { readonly type: 'handover'; readonly text: string }
  | { readonly type: 'commit' }
  | { readonly type: 'left'; readonly ending: Ending };

/** How the process before ends. */
export interface Ending {
  readonly pid: number;
  /** How many connections it had when the next one took over, and how many of them are left. */
  readonly connections: number;
  readonly left: number;
  /** Requests that were cut because they were under way when the grace was over. */
  readonly lost: number;
  /** `killed`: it has gone without a word, and what was left with it. */
  readonly phase: 'ending' | 'ended' | 'killed';
}
