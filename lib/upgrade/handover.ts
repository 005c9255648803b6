// What a balancer hands over to the process that takes its place: one value with a version, as JSON. Pure. Both
// processes may be of different versions of this program, so what cannot be understood is refused in words, and then
// the one before goes on.

import type { FleetState, Seat, ServingSeat } from '../core/fleet/fleet-state.ts';
import type { PlaneHandover } from '../core/plane-ports.ts';
import type { HandedReplicas, Make } from '../core/ports.ts';
import { BalancerError } from '../errors.ts';

/** To be raised with each change of the value, or of what it holds. */
export const HANDOVER_VERSION = 1;

export interface Handover {
  readonly version: typeof HANDOVER_VERSION;
  /** Of the process that hands over. */
  readonly pid: number;
  readonly service: HandedService;
  readonly plane: PlaneHandover;
  /** Descriptor of the listener for the balancer's own endpoints alone, if there is one. */
  readonly adminDescriptor: number | undefined;
  /** `undefined` for replicas that are not processes of this machine. */
  readonly replicas: HandedReplicas | undefined;
  readonly state: FleetState;
  /** The time of the state's clock. */
  readonly atMs: number;
  /** What replicas are made of, where that differs from what the options say. */
  readonly made: Make;
  /** The token that changes of the fleet take, if it was drawn. */
  readonly drawnToken: string | undefined;
}

/** What the options must say in both processes. */
export interface HandedService {
  /** 0 for one that the system picks; the sockets may also have come from somebody who has opened them. */
  readonly port: number;
  readonly host: string;
  /** Where the balancer's own endpoints are. */
  readonly admin: string;
  /** Where replicas run. */
  readonly runtime: 'process' | 'docker' | 'swarm' | 'given';
}

/** Options that say so, for whoever has changed one. */
const SAID_BY: Readonly<Record<keyof HandedService, string>> = {
  port: '--port',
  host: '--host',
  admin: '--admin-port, --admin-host or --admin-socket',
  runtime: '--runtime or --upstream',
};

/** The value as text. */
export function handoverText(handover: Handover): string {
  return JSON.stringify(handover, (_, value: unknown) =>
    typeof value === 'number' && !Number.isFinite(value) ? { infinite: Math.sign(value) } : value,
  );
}

/** Reads such a text. Throws `upgrade-refused` if it is of another version, or none of ours. */
export function readHandover(text: string): Handover {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text, (_, value: unknown) =>
      isObject(value) && 'infinite' in value ? Number(value.infinite) * Number.POSITIVE_INFINITY : value,
    );
  } catch {
    throw refused('what the process before hands over is no JSON');
  }
  if (!isObject(parsed)) throw refused('what the process before hands over is no value of ours');
  const { version, pid, service, plane, state, atMs, made } = parsed;
  if (version !== HANDOVER_VERSION) {
    throw refused(`it hands over in version ${version}, and this program takes ${HANDOVER_VERSION}: restart it`);
  }
  const isWhole =
    Number.isInteger(pid) &&
    Number.isFinite(atMs) &&
    isObject(service) &&
    isObject(plane) &&
    isListOf(plane.descriptors, Number.isInteger) &&
    isObject(plane.ids) &&
    isObject(made) &&
    isObject(state) &&
    isListOf(state.seats, isObject) &&
    isListOf(state.leaving, isObject);
  if (!isWhole) throw refused('what the process before hands over is not whole');
  return parsed as unknown as Handover;
}

/** Why a process with these settings cannot go on with what is handed over; `undefined` if it can. */
export function unfit({ service, state }: Handover, own: HandedService, maxPlace: number): string | undefined {
  const differs = (Object.keys(SAID_BY) as (keyof HandedService)[]).find((key) => own[key] !== service[key]);
  if (differs !== undefined) {
    return `${SAID_BY[differs]} changes from ${service[differs]} to ${own[differs]}: that takes a restart`;
  }
  const highest = Math.max(0, ...state.seats.flatMap(({ replica }) => [replica.seat, ...(replica.extraPlaces ?? [])]));
  if (highest > maxPlace) return `a replica has place ${highest} on the ring, which has room for ${maxPlace}`;
  return undefined;
}

/** All descriptors of the value, in the order in which `renumbered` counts them. */
export function descriptorsOf({ plane, adminDescriptor, replicas }: Handover): readonly number[] {
  const outputs = replicas?.processes.flatMap(({ stdout, stderr }) => [stdout, stderr]) ?? [];
  return [...plane.descriptors, ...(adminDescriptor === undefined ? [] : [adminDescriptor]), ...outputs];
}

/** The value with its descriptors as another process has them, from `first` on. */
export function renumbered(handover: Handover, first: number): Handover {
  let next = first;
  const take = () => next++;
  const { plane, adminDescriptor, replicas } = handover;
  return {
    ...handover,
    plane: { ...plane, descriptors: plane.descriptors.map(take) },
    adminDescriptor: adminDescriptor === undefined ? undefined : take(),
    replicas: replicas && {
      ...replicas,
      processes: replicas.processes.map((one) => ({ ...one, stdout: take(), stderr: take() })),
    },
  };
}

/** The state with all its times later by so many ms, for a clock that began at another time. */
export function shifted(state: FleetState, byMs: number): FleetState {
  return {
    ...state,
    seats: state.seats.map((seat) => shiftedSeat(seat, byMs)),
    leaving: state.leaving.map((one) => ({ ...one, retryAtMs: one.retryAtMs + byMs })),
    ...(state.newcomers && { newcomers: state.newcomers.map((one) => ({ ...one, sinceMs: one.sinceMs + byMs })) }),
  };
}

function shiftedSeat<S extends Seat>(seat: S, byMs: number): S {
  const times = ['sinceMs', 'startAtMs', 'giveUpAtMs', 'firstServedMs', 'unfitSinceMs', 'absentSinceMs'] as const;
  const later = times.flatMap((key) => {
    const value = (seat as Partial<Record<(typeof times)[number], number>>)[key];
    return value === undefined ? [] : [[key, value + byMs] as const];
  });
  const predecessor = (seat as { predecessor?: ServingSeat }).predecessor;
  return {
    ...seat,
    ...Object.fromEntries(later),
    ...(predecessor === undefined ? {} : { predecessor: shiftedSeat(predecessor, byMs) }),
  };
}

function refused(message: string): BalancerError {
  return new BalancerError('upgrade-refused', message);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isListOf(value: unknown, fits: (one: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(fits);
}
