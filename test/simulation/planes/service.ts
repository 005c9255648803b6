// The replicas' side of a history: the service that each of them is. It reads requests, does them, and replies well or
// in one of the ways in which services fail. A replica that hangs reads and writes nothing until it is up again; one
// that ends cuts its connections.

import assert from 'node:assert/strict';
import { incarnationAt } from '../machine.ts';
import type { FarEnd } from '../network/far-end.ts';
import type { Admission, Dialled } from '../network/virtual-network.ts';
import { ServedConnection, type ServicePorts } from './served-connection.ts';

export class Service {
  /** Things go wrong. */
  isFaulty = true;
  readonly ports: ServicePorts;
  readonly #connections = new Map<number, Set<ServedConnection>>();
  readonly #stalled = new Map<number, (() => void)[]>();

  constructor(ports: ServicePorts) {
    this.ports = ports;
  }

  /** Somebody wants a connection to a replica. */
  admit(dialled: Dialled): Admission {
    const incarnation = incarnationAt(dialled.address);
    const life = this.ports.lifeOf(incarnation);
    const { random } = this.ports;
    if (life === undefined || life === 'ended') return { type: 'refuse', code: 'ECONNREFUSED' };
    if (life === 'hung' && random.chance(0.4)) return { type: 'hang' };
    if (this.isFaulty && random.chance(0.02)) return { type: 'refuse', code: 'ECONNREFUSED' };
    if (this.isFaulty && random.chance(0.01)) return { type: 'hang' };
    return { type: 'accept', take: (far) => this.#take(far, incarnation, dialled.number) };
  }

  /** Calls at once, or when the replica is up again. Not at all if it ends before. */
  whenUp(incarnation: number, call: () => void): void {
    const life = this.ports.lifeOf(incarnation);
    if (life === 'up') call();
    else if (life === 'hung') {
      const stalled = this.#stalled.get(incarnation) ?? [];
      this.#stalled.set(incarnation, stalled);
      stalled.push(call);
    }
  }

  /** The life of that replica has changed. */
  onLife(incarnation: number): void {
    const life = this.ports.lifeOf(incarnation);
    const connections = this.#connections.get(incarnation) ?? new Set();
    if (life === 'up') {
      for (const connection of connections) connection.far.resume();
      const stalled = this.#stalled.get(incarnation) ?? [];
      this.#stalled.delete(incarnation);
      for (const call of stalled) call();
    } else if (life === 'hung') {
      for (const connection of connections) connection.far.pause();
    } else {
      this.#stalled.delete(incarnation);
      this.#connections.delete(incarnation);
      for (const connection of connections) connection.die(this.ports.random.chance(0.5));
    }
  }

  forget(connection: ServedConnection): void {
    this.#connections.get(connection.incarnation)?.delete(connection);
  }

  #take(far: FarEnd, incarnation: number, number: number): void {
    const connection = new ServedConnection(this, far, incarnation, number);
    far.player = connection;
    const connections = this.#connections.get(incarnation) ?? new Set();
    this.#connections.set(incarnation, connections);
    connections.add(connection);
    const attempt = this.ports.journal.on(number);
    if (attempt !== undefined) attempt.isConnected = true;
    if (this.ports.lifeOf(incarnation) === 'hung') far.pause();
    else assert.equal(this.ports.lifeOf(incarnation), 'up');
  }
}
