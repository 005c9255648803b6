// What the supervisor is given: the rules that it goes by, and what it acts on.

import type { FleetState } from '../core/fleet/fleet-state.ts';
import type { FleetRules } from '../core/fleet/seats.ts';
import type { Probe } from '../core/ports.ts';
import type { HeartbeatPace } from './health/heartbeat.ts';
import type { UnderwayLimits, UnderwayPorts } from './underway.ts';

export interface SupervisorRules extends FleetRules, HeartbeatPace, UnderwayLimits {
  readonly inventoryIntervalMs: number;
  /** How long `begin` waits for the first replicas that are started, in ms. For given ones it waits two heartbeats. */
  readonly beginTimeoutMs: number;
  /** How many failed starts of a seat in a row make `/add` give up. */
  readonly joinAttempts: number;
  /** `begin` throws if none of the first replicas has served by its end. */
  readonly mustServe: boolean;
}

export interface SupervisorPorts extends UnderwayPorts {
  readonly probe: Probe;
  /**
   * Gets every new state before anything is done about it. Must not throw. Resolves when requests go by it, and rejects
   * if they cannot.
   */
  readonly publish: (state: FleetState) => Promise<void>;
}
