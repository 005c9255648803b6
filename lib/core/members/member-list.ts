// The text of a list of members, which all balancers of a service go by: who has which places on the ring, under which
// name, where, and whether it is drained. Either JSON, as a controller writes it,
//
//   {"version": 1, "controller": "http://10.0.0.1:5000", "members":
//     [{"places": [1], "hostname": "app1", "address": "10.0.0.7:80"}, {"places": [2, 5], "hostname": "app2", …}]}
//
// or a line for each, as people write it: `2,5 app2 10.0.0.8:80 drained`. Places are said and never counted: if a seat
// were the number of its line, whoever deletes a line would move the keys of all that follow. Pure; a text that is no
// such list is refused in words.

import { addressText, foldedAddress, parseAddress } from '../address.ts';
import { type FleetState, MAX_WEIGHT, placesOf, predecessorOf, type Seat } from '../fleet/fleet-state.ts';
import { foldedHostname, HOSTNAME_PATTERN } from '../fleet/replica-name.ts';
import type { Address, Member } from '../ports.ts';

/** Who should be in the fleet, and who says so. */
export interface MemberList {
  /** Where the fleet is changed, for people: the URL of a balancer; `undefined` if the list does not say. */
  readonly controller: string | undefined;
  /** In the order in which they joined. */
  readonly members: readonly Member[];
}

export interface ListLimits {
  readonly maxReplicas: number;
  /** The highest place that the ring has room for. */
  readonly maxPlace: number;
}

export type ParsedList = { readonly list: MemberList } | { readonly fault: string };

/** To be raised with each change that a balancer of before would misread. */
const VERSION = 1;
const CONTROLLER_PATTERN = /^(https?:\/\/|unix:\/)[\x21-\x7e]{1,300}$/;

/** Reads such a text. An empty list must be said in JSON: a text without a line may be one that was cut off. */
export function parseMemberList(text: string, limits: ListLimits): ParsedList {
  const read = text.trimStart().startsWith('{') ? parseJson(text) : parseLines(text);
  if ('fault' in read) return read;
  const { members } = read.list;
  const fault = faultTogether(members, limits);
  return fault === undefined ? read : { fault };
}

/** The text in JSON that is read as this list. */
export function writeMemberList({ controller, members }: MemberList): string {
  const entries = members.map(({ places, hostname, address, isDrained }) =>
    JSON.stringify({
      ...{ places, hostname },
      ...(address === undefined ? {} : { address: addressText(address) }),
      ...(isDrained ? { drained: true } : {}),
    }),
  );
  const list = entries.length === 0 ? '[]' : `[\n${entries.join(',\n')}\n]`;
  return `${JSON.stringify({ version: VERSION, controller }).slice(0, -1)},"members":${list}}\n`;
}

/**
 * The members of a fleet, as other balancers are to have them. Of a replica that is started here, the address is told
 * once it serves; until then that of the one before it, if that still gets requests.
 */
export function membersOf({ seats }: FleetState): Member[] {
  return seats
    .toSorted((a, b) => a.joined - b.joined)
    .map((seat) => {
      const shown = seat.isGiven ? seat : (predecessorOf(seat) ?? seat);
      const { hostname } = shown.replica;
      return {
        places: placesOf(seat.replica),
        hostname,
        address: addressToTell(shown),
        isDrained: shown.isDrained === true,
      };
    });
}

function addressToTell(seat: Seat): Address | undefined {
  if (seat.phase === 'serving' || (seat.isGiven && 'address' in seat)) return seat.address;
  return undefined;
}

function parseJson(text: string): ParsedList {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return { fault: `it is no JSON: ${(error as Error).message}` };
  }
  const { version, controller, members, ...rest } = parsed as Record<string, unknown>;
  if (version !== VERSION) return { fault: `version must be ${VERSION}, not ${shown(version)}` };
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) return { fault: `${shown(unknown)} is no member of such a list` };
  if (controller !== undefined && !isController(controller)) {
    return { fault: `controller must be a URL, not ${shown(controller)}` };
  }
  if (!Array.isArray(members)) return { fault: `members must be a list, not ${shown(members)}` };
  return listOf(controller as string | undefined, members, (entry, index) => {
    if (typeof entry !== 'object' || entry === null) return `members[${index}] must be an object, not ${shown(entry)}`;
    const { places, hostname, address, drained = false, ...others } = entry as Record<string, unknown>;
    const [other] = Object.keys(others);
    if (other !== undefined) return `members[${index}] has ${shown(other)}, which is no member of it`;
    if (typeof drained !== 'boolean') return `members[${index}].drained must be true or false, not ${shown(drained)}`;
    return memberOf(`members[${index}]`, { places, hostname, address, isDrained: drained });
  });
}

function parseLines(text: string): ParsedList {
  const lines = text.split('\n').map((line, index) => ({ words: line.trim().split(/\s+/), number: index + 1 }));
  const said = lines.filter(({ words: [first = ''] }) => first !== '' && !first.startsWith('#'));
  if (said.length === 0) return { fault: 'it names no members' };
  const [{ words }] = said as [(typeof said)[number]];
  const hasController = words[0] === 'controller';
  if (hasController && !(words.length === 2 && isController(words[1]))) {
    return { fault: `line ${said[0]?.number}: controller takes a URL` };
  }
  return listOf(hasController ? words[1] : undefined, said.slice(hasController ? 1 : 0), ({ words, number }) => {
    const [places = '', hostname, address, drained, more] = words;
    if ((drained !== undefined && drained !== 'drained') || more !== undefined) {
      return `line ${number}: after PLACES NAME ADDRESS there may be the word drained, and nothing else`;
    }
    const numbers = places.split(',').map((one) => (/^\d{1,5}$/.test(one) ? Number(one) : one));
    const where = address === '-' ? undefined : (address ?? '');
    return memberOf(`line ${number}`, { places: numbers, hostname, address: where, isDrained: drained !== undefined });
  });
}

/** @param read gives the member of an entry, or what is wrong with it. */
function listOf<T>(
  controller: string | undefined,
  entries: readonly T[],
  read: (entry: T, index: number) => Member | string,
): ParsedList {
  const members: Member[] = [];
  for (const [index, entry] of entries.entries()) {
    const member = read(entry, index);
    if (typeof member === 'string') return { fault: member };
    members.push(member);
  }
  return { list: { controller, members } };
}

interface Said {
  readonly places: unknown;
  readonly hostname: unknown;
  readonly address: unknown;
  readonly isDrained: boolean;
}

// The attack: a name is told in fields of replies, so a line break in it would begin another field. A name is one of
// the contract, or a service's address, as --upstream has it.
function memberOf(where: string, { places, hostname, address: written, isDrained }: Said): Member | string {
  if (!isListOfPlaces(places)) {
    return `${where}: places must be 1 to ${MAX_WEIGHT} whole numbers from 1, none twice, not ${shown(places)}`;
  }
  if (typeof hostname !== 'string' || !(HOSTNAME_PATTERN.test(hostname) || parseAddress(hostname) !== undefined)) {
    return `${where}: ${shown(hostname)} is no valid hostname`;
  }
  const address = typeof written === 'string' ? parseAddress(written) : undefined;
  if (written !== undefined && address === undefined) {
    return `${where}: the address must be host:port or unix:/path, not ${shown(written)}`;
  }
  return { places, hostname, address, isDrained };
}

function isListOfPlaces(places: unknown): places is number[] {
  if (!Array.isArray(places) || places.length < 1 || places.length > MAX_WEIGHT) return false;
  return places.every((one) => Number.isInteger(one) && one >= 1) && new Set(places).size === places.length;
}

function faultTogether(members: readonly Member[], { maxReplicas, maxPlace }: ListLimits): string | undefined {
  if (members.length > maxReplicas) {
    return `it names ${members.length} replicas, and --max-replicas is ${maxReplicas}`;
  }
  const places = members.flatMap((member) => member.places);
  const highest = places.reduce((most, place) => Math.max(most, place), 0);
  if (highest > maxPlace) return `it has place ${highest}, and the ring has room for ${maxPlace}: see --slots`;
  const twice =
    repeated(places.map((place) => `place ${place}`)) ??
    repeated(members.map(({ hostname }) => foldedHostname(hostname))) ??
    repeated(members.flatMap(({ address }) => (address === undefined ? [] : [foldedAddress(address)])));
  return twice === undefined ? undefined : `${twice} is there twice`;
}

function repeated(texts: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return texts.find((text) => seen.size === seen.add(text).size);
}

function isController(url: unknown): url is string {
  return typeof url === 'string' && CONTROLLER_PATTERN.test(url);
}

const MOST_SHOWN = 60;

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, MOST_SHOWN);
}
