// Holds what an /add asks for against the fleet as it is, and gives what has to be added. A hostname that is there
// already counts as done, if its weight and address are those that are asked for.

import { addressText, foldedAddress, parseAddress } from '../core/address.ts';
import { type FleetState, givenAddress, placesOf, type Seat } from '../core/fleet/fleet-state.ts';
import { foldedHostname, HOSTNAME_PATTERN } from '../core/fleet/replica-name.ts';
import type { Address, Wish } from '../core/ports.ts';
import { BalancerError } from '../errors.ts';
import { type ChangeRequest, refusedHostname } from './bodies.ts';

/** Those that are not there yet, in the order of the request. Throws `bad-body`. */
export function wishesOf(asked: ChangeRequest, state: FleetState, startsReplicas: boolean): Wish[] {
  const { n, hostnames, weights, addresses } = asked;
  const byName = new Map(state.seats.map((seat) => [foldedHostname(seat.replica.hostname), seat]));
  const byAddress = new Map(
    state.seats.flatMap((seat) => {
      const address = givenAddress(seat);
      return address === undefined ? [] : [[foldedAddress(address), seat] as const];
    }),
  );
  const wishes: Wish[] = [];
  for (let index = 0; index < n; index++) {
    const [hostname, weight, address] = [hostnames[index], weights[index], addresses[index]];
    const known = hostname === undefined ? undefined : byName.get(foldedHostname(hostname));
    if (known !== undefined) {
      checkSame(known, index, weight, address);
    } else if (address !== undefined) {
      const other = byAddress.get(foldedAddress(address));
      if (other !== undefined)
        throw refusal(`addresses[${index}] is that of ${other.replica.hostname}, which is there`);
      checkMayBeGiven(hostname, index, address);
      wishes.push({ hostname, weight: weight ?? 1, address });
    } else {
      checkMayStart(hostname, index, startsReplicas);
      wishes.push({ hostname, weight: weight ?? 1 });
    }
  }
  return wishes;
}

function checkMayStart(hostname: string | undefined, index: number, startsReplicas: boolean): void {
  if (!startsReplicas) {
    throw refusal(
      `addresses[${index}] is missing: with --upstream nothing is started here, so a new one has to be there, ` +
        'as in {"n": 1, "hostnames": ["app4"], "addresses": ["127.0.0.1:3004"]}',
    );
  }
  if (hostname !== undefined && !HOSTNAME_PATTERN.test(hostname)) throw refusedHostname(index, hostname);
}

// The slip: a service under the address of another, whose requests somebody would look for there.
function checkMayBeGiven(hostname: string | undefined, index: number, address: Address): void {
  if (hostname === undefined || HOSTNAME_PATTERN.test(hostname)) return;
  const named = parseAddress(hostname);
  if (named === undefined || foldedAddress(named) !== foldedAddress(address)) throw refusedHostname(index, hostname);
}

function checkSame(seat: Seat, index: number, weight: number | undefined, address: Address | undefined): void {
  const { replica } = seat;
  const has = placesOf(replica).length;
  if (weight !== undefined && weight !== has) {
    throw refusal(`weights[${index}] must be ${has}: ${replica.hostname} is there with that, not ${weight}`);
  }
  if (address === undefined) return;
  const given = givenAddress(seat);
  if (given === undefined)
    throw refusal(`addresses[${index}] must not be: ${replica.hostname} is there and was started here`);
  if (foldedAddress(given) !== foldedAddress(address)) {
    throw refusal(
      `addresses[${index}] must be ${addressText(given)}: ${replica.hostname} is there with that, not ${addressText(address)}`,
    );
  }
}

function refusal(reason: string): BalancerError {
  return new BalancerError('bad-body', reason);
}
