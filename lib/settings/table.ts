// All options: the groups of tables/ in the order in which they are shown, and the type of their values.

import type { Kind } from './kinds.ts';
import type { Group, PlainOption, SettledOption } from './option.ts';
import { ACCESS_LOG } from './tables/access-log.ts';
import { ADMIN } from './tables/admin.ts';
import { CLIENTS } from './tables/clients.ts';
import { CONNECTIONS } from './tables/connections.ts';
import { AUTOSCALING } from './tables/fleet/autoscaling.ts';
import { BALANCERS } from './tables/fleet/balancers.ts';
import { CONTAINERS } from './tables/fleet/containers.ts';
import { REPLICAS } from './tables/fleet/replicas.ts';
import { HEALTH } from './tables/health.ts';
import { MESSAGES } from './tables/messages.ts';
import { REQUESTS } from './tables/requests.ts';
import { RING } from './tables/ring.ts';
import { SERVICE } from './tables/service.ts';

const TABLES = [
  SERVICE,
  ACCESS_LOG,
  ADMIN,
  REPLICAS,
  AUTOSCALING,
  CONTAINERS,
  BALANCERS,
  RING,
  HEALTH,
  CLIENTS,
  REQUESTS,
  CONNECTIONS,
  MESSAGES,
] as const;

type Rows = (typeof TABLES)[number]['rows'];
type Flag = Rows extends infer R ? (R extends unknown ? keyof R & string : never) : never;
type RowOf<F extends Flag> = Extract<Rows, Readonly<Record<F, unknown>>>[F];
type ValueOf<R> = R extends { readonly kind: Kind<infer V, infer _Unit> } ? V : never;
type UnitOf<R> = R extends { readonly kind: Kind<infer _V, infer Unit> } ? Unit : never;
type CamelCase<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<CamelCase<B>>}` : S;
type KeyOf<F extends Flag> = `${CamelCase<F>}${UnitOf<RowOf<F>>}`;

/** What follows a lone `--` on the command line. */
interface Command {
  /** The program that each replica runs, and its arguments. Empty: the sample service. */
  readonly command: readonly string[];
}

/**
 * The values of all options. Each key is the flag in camel case with its unit: `--reply-timeout` is `replyTimeoutMs`.
 */
export type Options = Command & { readonly [F in Flag as KeyOf<F>]: ValueOf<RowOf<F>> };

/** Options that depend on no other. Others may depend on them. */
export type PlainOptions = Command & {
  readonly [F in Flag as RowOf<F> extends { readonly otherwise: unknown } ? KeyOf<F> : never]: ValueOf<RowOf<F>>;
};

export type Option = PlainOption<unknown, string> | SettledOption<unknown, string, PlainOptions>;

export const GROUPS: readonly Group<Readonly<Record<string, Option>>>[] = TABLES;

export const OPTIONS: ReadonlyMap<string, Option> = new Map(GROUPS.flatMap(({ rows }) => Object.entries(rows)));
