// How many replicas the load needs. Up at once, down slowly: as Knative's autoscaler (KPA) goes by requests in flight,
// over a long window and, in a panic, over a short one; as the Horizontal Pod Autoscaler of Kubernetes (HPA) has a
// tolerance, a stabilization window and a rate on the way down. A pure function of what was measured; who carries a
// step out is lib/fleet/autoscaler.ts.
//
// Sources: knative.dev/docs/serving/autoscaling/kpa-specific and its code, pkg/autoscaler/scaling/autoscaler.go;
// kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale, "Algorithm details", "Scaling policies" and
// "Stabilization window". Load that was turned away: J. D. C. Little, "A proof for the queuing formula L = λW", 1961.

/** What somebody wants of it. */
export interface AutoscaleRules {
  /** So few and so many replicas there may be. With 0, the last one goes when nothing is asked for. */
  readonly least: number;
  readonly most: number;
  /** Requests in flight that a replica of weight 1 should have on average. */
  readonly target: number;
  /** The stable window, in ms. The panic window is a tenth of it. */
  readonly windowMs: number;
  /** The fleet is as large as was wanted at any time within so many ms. */
  readonly downAfterMs: number;
  /** At most this part of the replicas leaves within a minute, but one may. */
  readonly downRate: number;
}

/** What was counted since some time that stays the same. Differences of two looks are the load between them. */
export interface LoadLook {
  readonly atMs: number;
  /** Requests at the replicas and in the lines in front of them, times the ms that they were there. */
  readonly heldMs: number;
  /** Requests that were turned away, as there were too many. */
  readonly refused: number;
  /** Requests that a replica has answered, and the ms that it had them, added up. */
  readonly served: number;
  readonly servedMs: number;
}

/** The fleet and its load at a moment. */
export interface AutoscaleFacts {
  readonly load: LoadLook;
  /** Weights of the replicas that may leave, by ascending number of their seats: the last one leaves first. */
  readonly weights: readonly number[];
  /** Replicas that somebody else runs, which stay, and their weights added up. */
  readonly others: number;
  readonly otherWeights: number;
  /** Weights of all replicas that take requests, added up. */
  readonly ready: number;
  /** How much more weight the ring has room for. */
  readonly room: number;
  /** Requests that wait because there is no replica. */
  readonly waiting: number;
  /** Event streams and tunnels, which count for nothing but that they keep the last replica. */
  readonly open: number;
  /** Why nothing may be changed now. */
  readonly busy: string | undefined;
  /** Which replica is not well: what is measured may be its doing, and not the load's. */
  readonly unwell: string | undefined;
}

/**
 * Why there is a step, or none. `steady`: as many as are wanted, or within the tolerance. `load`, `panic`: more are
 * wanted, by the long or the short window. `from-zero`: a request waits for the first one. `idle`: fewer were wanted
 * for long enough. `settling`: more were wanted a while ago, or the rate does not let them go yet. `most`: more are
 * needed than may be. `frozen`: not now. `paused`: somebody has removed all replicas, as the HPA rests at a scale of 0.
 */
export type AutoscaleReason =
  | 'steady'
  | 'load'
  | 'panic'
  | 'from-zero'
  | 'idle'
  | 'settling'
  | 'most'
  | 'frozen'
  | 'paused';

export interface Decision {
  readonly atMs: number;
  readonly replicas: number;
  /** So many replicas join, or leave if it is below 0. */
  readonly step: number;
  readonly reason: AutoscaleReason;
  /** What is not well or under way, if that is the reason. */
  readonly frozenBy?: string;
  /** How many the load of this moment wants, within the bounds. */
  readonly wanted: number;
  /** Requests in flight on average over both windows, those included that wait or were turned away. */
  readonly stable: number;
  readonly panic: number;
  readonly isPanic: boolean;
  /** The most that was wanted within `downAfterMs`. */
  readonly wantedLately: number;
}

interface Dated {
  readonly atMs: number;
  readonly value: number;
}

/** What the next decision has to know. Plain data, and no larger than the windows. */
export interface AutoscaleMemory {
  readonly looks: readonly LoadLook[];
  /** What was wanted, as far as nothing later was more: falling values. */
  readonly wanted: readonly Dated[];
  /** How large the fleet was, in the same way. */
  readonly sizes: readonly Dated[];
  readonly size: number;
  readonly panicEndsMs: number;
  readonly unwellSinceMs: number | undefined;
}

export const NO_MEMORY: AutoscaleMemory = {
  looks: [],
  wanted: [],
  sizes: [],
  size: 0,
  panicEndsMs: Number.NEGATIVE_INFINITY,
  unwellSinceMs: undefined,
};

// KPA: panic-window-percentage 10, panic-threshold-percentage 200.
const PANIC_WINDOW_PART = 0.1;
const PANIC_THRESHOLD = 2;
// HPA: --horizontal-pod-autoscaler-tolerance.
const TOLERANCE = 0.1;
// HPA, default policies for scaling up: the larger of 100 % and 4 pods, at a time.
const MOST_TIMES_UP = 2;
const LEAST_MOST_UP = 4;
const MINUTE_MS = 60_000;

/**
 * What to do about the size of the fleet. To be asked about once a second.
 *
 * With the load L of a window, the target T and R ready replicas (KPA): `wanted = ceil(L / T)`. A panic begins when
 * `ceil(L(panic) / T) / R ≥ 2`, and ends when that has not been so for the stable window; in it, the larger L counts,
 * and nobody leaves. No step within 10 % of the target: `|L / (N × T) - 1| ≤ 0.1` (HPA). On the way down (HPA) the size
 * is the highest `wanted` of the last `downAfterMs`, and not below `floor(highest N of the last minute × (1 -
 * downRate))`.
 */
export function decide(
  before: AutoscaleMemory,
  facts: AutoscaleFacts,
  rules: AutoscaleRules,
): { readonly memory: AutoscaleMemory; readonly decision: Decision } {
  const { load, weights, unwell } = facts;
  const nowMs = load.atMs;
  const replicas = weights.length + facts.others;
  // In weights, as the load is spread by them. A step is a replica of weight 1, or one that leaves with what it has.
  const size = weights.reduce((sum, weight) => sum + weight, facts.otherWeights);
  const extra = size - replicas;
  const looks = [...before.looks.slice(begin(before.looks, nowMs - rules.windowMs)), load];
  const stable = meanLoad(looks, nowMs - rules.windowMs);
  const panic = meanLoad(looks, nowMs - rules.windowMs * PANIC_WINDOW_PART);
  const isOver = Math.ceil(panic / rules.target) / Math.max(1, facts.ready) >= PANIC_THRESHOLD;
  const panicEndsMs = isOver ? nowMs + rules.windowMs : before.panicEndsMs;
  const isPanic = nowMs < panicEndsMs;
  const needed = Math.max(sizeFor(isPanic ? Math.max(stable, panic) : stable, size, rules.target), leastNow(facts));
  const wanted = bounded(needed, rules.least + extra, rules.most + extra);
  // Whoever made it larger by hand meant it for now.
  const meant = size > before.size ? Math.max(wanted, Math.min(size, rules.most + extra)) : wanted;
  const memory: AutoscaleMemory = {
    looks,
    wanted: highest(before.wanted, { atMs: nowMs, value: meant }, nowMs - rules.downAfterMs),
    sizes: highest(before.sizes, { atMs: nowMs, value: size }, nowMs - MINUTE_MS),
    size,
    panicEndsMs,
    unwellSinceMs: unwell === undefined ? undefined : (before.unwellSinceMs ?? nowMs),
  };
  const wantedLately = (memory.wanted[0] as Dated).value;
  const known = { atMs: nowMs, replicas, wanted: wanted - extra, stable, panic, isPanic };
  const decision = {
    ...known,
    wantedLately: wantedLately - extra,
    ...stepOf(memory, facts, rules, { wanted, needed, isPanic }),
  };
  return { memory, decision };
}

type Step = Pick<Decision, 'step' | 'reason' | 'frozenBy'>;

function stepOf(
  memory: AutoscaleMemory,
  facts: AutoscaleFacts,
  rules: AutoscaleRules,
  { wanted, needed, isPanic }: { wanted: number; needed: number; isPanic: boolean },
): Step {
  const { size } = memory;
  const none = (reason: AutoscaleReason): Step => ({ step: 0, reason });
  const replicas = facts.weights.length + facts.others;
  if (replicas === 0 && rules.least > 0) return none('paused');
  const up = stepUp(wanted, size, replicas, facts.room, rules);
  const down = stepDown(memory, facts.weights, replicas, rules);
  // Above the most, somebody has added by hand what may not stay.
  const step = up > 0 ? up : isPanic && replicas <= rules.most ? 0 : -down;
  if (step === 0) {
    if (needed > size) return none('most');
    return none(wanted < size ? 'settling' : 'steady');
  }
  const frozenBy = frozenReason(facts, memory, step, rules);
  if (frozenBy !== undefined) return { step: 0, reason: 'frozen', frozenBy };
  if (step < 0) return { step, reason: 'idle' };
  return { step, reason: size === 0 ? 'from-zero' : isPanic ? 'panic' : 'load' };
}

// A replica that stays unwell must not keep the others from getting help: what it did to the load has left the window.
function frozenReason(
  { busy, unwell, load }: AutoscaleFacts,
  { unwellSinceMs = load.atMs }: AutoscaleMemory,
  step: number,
  { windowMs }: AutoscaleRules,
): string | undefined {
  if (busy !== undefined) return busy;
  return step > 0 && load.atMs - unwellSinceMs >= windowMs ? undefined : unwell;
}

function stepUp(wanted: number, size: number, replicas: number, room: number, { most }: AutoscaleRules): number {
  const highest = Math.max(MOST_TIMES_UP * size, size + LEAST_MOST_UP);
  return Math.max(0, Math.min(wanted - size, highest - size, most - replicas, room));
}

// How many leave: the last ones, as long as what is left is enough.
function stepDown(
  { wanted, sizes, size }: AutoscaleMemory,
  weights: readonly number[],
  replicas: number,
  { least, downRate }: AutoscaleRules,
): number {
  const highest = (sizes[0] as Dated).value;
  const slowly = Math.min(highest - 1, Math.floor(highest * (1 - downRate)));
  const enough = Math.max((wanted[0] as Dated).value, slowly);
  let leavers = 0;
  let left = size;
  for (const weight of weights.toReversed()) {
    left -= weight;
    if (left < enough || replicas - leavers - 1 < least) break;
    leavers += 1;
  }
  return leavers;
}

function sizeFor(load: number, size: number, target: number): number {
  if (size > 0 && Math.abs(load / (size * target) - 1) <= TOLERANCE) return size;
  return Math.ceil(load / target);
}

// Who waits for a replica is not served by the mean of a minute.
function leastNow({ waiting, open }: AutoscaleFacts): number {
  return waiting > 0 || open > 0 ? 1 : 0;
}

/**
 * Requests in flight on average since `sinceMs`, or as far back as the looks go. Those that were turned away count with
 * the time that one takes, by Little's law: L = λ × W.
 */
export function meanLoad(looks: readonly LoadLook[], sinceMs: number): number {
  const from = looks[begin(looks, sinceMs)];
  const to = looks.at(-1);
  if (from === undefined || to === undefined || to.atMs <= from.atMs) return 0;
  const ms = to.atMs - from.atMs;
  const served = to.served - from.served;
  const eachMs = served > 0 ? (to.servedMs - from.servedMs) / served : 0;
  return Math.max(0, (to.heldMs - from.heldMs + (to.refused - from.refused) * eachMs) / ms);
}

// The last look that is not within the window, since the load between it and the next one is; else the first.
function begin(looks: readonly LoadLook[], sinceMs: number): number {
  const within = looks.findIndex(({ atMs }) => atMs > sinceMs);
  return Math.max(0, (within === -1 ? looks.length : within) - 1);
}

// With one value more. What is too old is dropped, and what is not above a later one: the first is the highest.
function highest(before: readonly Dated[], now: Dated, sinceMs: number): readonly Dated[] {
  return [...before.filter(({ atMs, value }) => atMs > sinceMs && value > now.value), now];
}

function bounded(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
