// What the pure core expects of the shell: time, who should be in the fleet, a place where replicas run, and a way to
// ask a replica how it is.

import type { SeatId } from './ring/ring.ts';

/** Where a replica listens. */
export type Address =
  | { readonly type: 'unix'; readonly path: string }
  | { readonly type: 'tcp'; readonly host: string; readonly port: number };

/** One life in a seat. This process never uses an incarnation again, so late news can be recognized by it. */
export interface ReplicaRef {
  readonly seat: SeatId;
  /** For a weight of w: the w - 1 places on the ring that the seat holds beside its own number. */
  readonly extraPlaces?: readonly number[];
  readonly incarnation: number;
  readonly hostname: string;
}

/** A replica that the runtime finds. */
export interface PresentReplica {
  readonly replica: ReplicaRef;
  /** Where it listens; `undefined` if it has ended, or never began. */
  readonly address: Address | undefined;
  /** The replica was created but never started. */
  readonly untried?: true;
  /** How long ago it was created; `undefined` if that is unknown, which counts as long ago. */
  readonly ageMs?: number;
  /** The replica was created by a change that an earlier process did not finish. */
  readonly isUnfinished?: boolean;
}

/** What another process needs to go on with replicas that are processes of this machine. */
export interface HandedReplicas {
  /** Of their sockets. Whoever has the replicas removes it in the end. */
  readonly directory: string;
  readonly processes: readonly HandedProcess[];
}

export interface HandedProcess {
  readonly replica: ReplicaRef;
  readonly address: Address;
  readonly pid: number;
  /** When it was started, as the system counts: its number may be another's later. */
  readonly startTicks: string;
  /** File descriptors from which to read what it writes. */
  readonly stdout: number;
  readonly stderr: number;
}

/** Replicas that this process has let go of, until another one has them. */
export interface LetGo {
  /** The other one does not take them. */
  takeBack(): void;
  /** The other one has them: nothing that happens to them is ours. */
  leave(): void;
}

/** News of a runtime: what it tells unasked. */
export type RuntimeNews =
  | { readonly type: 'exited'; readonly replica: ReplicaRef; readonly reason: string }
  /** The replica may not be well: probe it now. */
  | { readonly type: 'doubted'; readonly replica: ReplicaRef }
  /** News may have been missed, but will come again from now on: list the replicas anew. */
  | { readonly type: 'restored' };

export interface Clock {
  /** Milliseconds that only grow. They have no relation to the time of day. */
  now(): number;
  /** Resolves after `ms`, or rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back every `ms` until the function that it returns is called. Does not keep the process alive. */
  every(ms: number, call: () => void): () => void;
}

/** A member of the fleet that is asked for. */
export interface Wish {
  /** `undefined` for a random one. */
  readonly hostname: string | undefined;
  /** How many places on the ring it is to have, 1 … MAX_WEIGHT. */
  readonly weight: number;
  /** Where it runs, if somebody else runs it. Then it is given: nobody here starts, stops or replaces it. */
  readonly address?: Address;
  /** Another name will do where that one is somebody else's. */
  readonly ifFree?: boolean;
  /** The source that has found it, as `Finding` has it. */
  readonly source?: string;
  /** The seat that it is to have if that one is free. */
  readonly seat?: SeatId;
}

/** A service that somebody else runs, as a source lists it: a name service, or an orchestrator. */
export interface FoundMember {
  /** What stays the same for as long as it is the same service. */
  readonly hostname: string;
  /** `undefined` while it takes no requests, such as a task that is coming up. */
  readonly address: Address | undefined;
  /** The number by which the source knows its place, from 1 on. */
  readonly seat?: SeatId;
}

/** All members that a source lists now. */
export interface Finding {
  /** The name of the source, as a person writes it: `dns:app:80`. */
  readonly source: string;
  readonly members: readonly FoundMember[];
  readonly weight: number;
  /**
   * How long there have to be more members, or fewer, before the ring changes, in ms; until then one that is new takes
   * the seat of one that is gone. 0: the list is exact, so each hostname has a seat of its own, at once.
   */
  readonly settleMs: number;
}

/** A member as a list says it that somebody else keeps. Nothing about it is decided here but how well it is. */
export interface Member {
  /** Its seat number first; all balancers with that list have the same ring by them. */
  readonly places: readonly number[];
  readonly hostname: string;
  /** `undefined` while the seat waits for its next replica. */
  readonly address: Address | undefined;
  /** It takes no new requests. */
  readonly isDrained: boolean;
}

/** A change of who should be there. */
export type MemberChange =
  /** These and no others. */
  | { readonly type: 'list'; readonly members: readonly Member[] }
  /** All of them, or none where one does not come up. */
  | { readonly type: 'add'; readonly wishes: readonly Wish[] }
  | { readonly type: 'remove'; readonly replicas: readonly ReplicaRef[] }
  /** What a source lists now. It may be told again and again. */
  | { readonly type: 'found'; readonly finding: Finding };

/** Who should be in the fleet, as one source says it: a list of options, or calls of the admin endpoints. */
export interface Membership {
  /** Those to begin with. They are wanted whether they come up or not. */
  first(): Promise<readonly Wish[]>;
  /** The list to begin with, of a source that says everything about its members. */
  listed?(): Promise<readonly Member[]>;
  /**
   * Calls `make` with each change after that. `make` resolves when the change is done, and rejects with a BalancerError
   * if it cannot be done. Returns the function that ends the watch.
   */
  watch(make: (change: MemberChange) => Promise<void>): () => void;
}

/** What a replica is made of, where that differs from what the options say. Plain data, as JSON has it. */
export interface Make {
  /** The program and its arguments. */
  readonly command?: readonly [string, ...string[]];
  /** More variables. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Name of the image of its container. */
  readonly image?: string;
}

/** What the next replica in that seat is made of. */
export type MakeOf = (seat: SeatId) => Make;

/** Where replicas run. Every method may reject with a BalancerError; none throws. */
export interface ReplicaRuntime {
  /** Takes hold of what it needs, since creating it has no effect. Called once, before all else but `close`. */
  begin(): Promise<void>;
  /**
   * Resolves when the replica is started, which does not mean healthy. Aborting gives up the start and stops what is
   * left of it.
   */
  start(replica: ReplicaRef, signal: AbortSignal): Promise<Address>;
  /** What a replica has not done if its start takes too long, in words that `within … ms` follow. */
  readonly awaited?: string;
  /** What was seen last of a replica whose start is under way, if that tells why it takes long. */
  seen?(replica: ReplicaRef): string | undefined;
  /** Asks the replica to finish, and ends it after `graceMs`. A replica that is not there counts as stopped. */
  stop(replica: ReplicaRef, graceMs: number): Promise<void>;
  /**
   * For runtimes whose replicas outlive this process. Notes that a change is under way, and which seats there were
   * before it. If this process is killed meanwhile, the next one removes all others. Resolves with the function that
   * removes the note.
   */
  announce?(seats: readonly SeatId[]): Promise<() => Promise<void>>;
  /** For runtimes whose replicas are processes of this machine: the id of its process, while it runs. */
  pidOf?(replica: ReplicaRef): number | undefined;
  /**
   * For runtimes whose replicas are processes of this machine. Changes nothing. Rejects if one is coming up, or if the
   * system does not tell what is needed.
   */
  handover?(): Promise<HandedReplicas>;
  /** Lets another process have all replicas that there are. Nothing may be under way. */
  letGo?(): LetGo;
  /** Takes the replicas that this runtime was made to take over, which another process has let go of. */
  claim?(): void;
  /** All replicas of this fleet and no others, including ended ones that still take a place. */
  list(): Promise<readonly PresentReplica[]>;
  /**
   * Calls back soon after something has happened, but may miss it: nothing may depend on it. Returns the function that
   * ends the watch.
   */
  watch(listener: (news: RuntimeNews) => void): () => void;
  /** Gives back whatever the runtime holds, after the last replica was stopped. May be called without a begin. */
  close(): Promise<void>;
}

/** Resolves if the replica answers like a healthy one; otherwise rejects with the reason. */
export type Probe = (address: Address, signal: AbortSignal) => Promise<void>;
