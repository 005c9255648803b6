// What a reply tells us, and the fields that it gets here: a cookie that was issued, the route that the request took,
// and for `X-Ringmaster-Explain: 1` all that says why it went there.

import type { KeyFinding } from '../core/keys/key-finding.ts';
import { reasonText, shareText } from '../core/ring/easing.ts';
import type { Explanation } from '../core/ring/explain.ts';
import type { Key } from '../core/ring/policy.ts';
import type { SeatId } from '../core/ring/ring.ts';
import type { SpillReason } from '../core/traffic/measures.ts';
import type { ReplyHead } from '../http/reply-head.ts';
import type { Directions } from './directions.ts';

/** An exchange whose reply begins. */
interface Replied {
  readonly found: KeyFinding;
  readonly key: Key;
  readonly explanation: Explanation | undefined;
  readonly requestId: number;
  /** Why the first seat of its order did not get it; `undefined` if it did. */
  readonly passedFor: SpillReason | undefined;
  /** The replica that replied. */
  readonly agent: { readonly replica: { readonly hostname: string; readonly seat: SeatId } } | undefined;
}

interface FieldsContext {
  readonly limits: { readonly tellsRoute: boolean };
  readonly hostnameOf: (seat: SeatId) => string | undefined;
  readonly directions: Pick<Directions, keyof Directions>;
}

// The names of a thousand replicas would make a larger head than clients accept.
const MOST_NAMED = 32;

const NO_FIELDS: readonly string[] = [];

/**
 * Takes note of who sets a cookie that is learned, and gives the fields to add: name, value, name, value, …; none for
 * nearly all replies.
 */
export function takeReply(exchange: Replied, { fields }: ReplyHead, context: FieldsContext): readonly string[] {
  const added = fieldsOf(exchange, context);
  if (exchange.agent !== undefined) context.directions.hear(fields, exchange.agent.replica.seat);
  return added;
}

/** The head with these fields behind its own. */
export function withFields(head: ReplyHead, added: readonly string[]): ReplyHead {
  return added.length === 0 ? head : { ...head, fields: [...head.fields, ...added] };
}

function fieldsOf(exchange: Replied, context: FieldsContext): readonly string[] {
  const { found, explanation } = exchange;
  const { tellsRoute } = context.limits;
  if (found.setCookie === undefined && !tellsRoute && explanation === undefined) return NO_FIELDS;
  return [
    ...(found.setCookie === undefined ? [] : ['Set-Cookie', found.setCookie]),
    ...(tellsRoute ? ['X-Ringmaster-Route', routeOf(exchange, context)] : []),
    ...(explanation === undefined ? [] : explainFields(exchange, explanation, context)),
  ];
}

// A dictionary of structured fields (RFC 9651).
function routeOf({ found, key, passedFor, agent }: Replied, context: FieldsContext): string {
  const spot = context.directions.spotOf(key, context.directions.setterOf(found.learned));
  const { slot, owner } = spot ?? { slot: undefined, owner: undefined };
  const members = [`key=${quoted(found.source)}`];
  if (slot !== undefined) members.push(`slot=${slot}`);
  if (owner !== undefined) members.push(`owner=${quoted(context.hostnameOf(owner) ?? `seat ${owner}`)}`);
  if (agent !== undefined) members.push(`replica=${quoted(agent.replica.hostname)}`);
  if (passedFor !== undefined && agent?.replica.seat !== owner) members.push(`why=${passedFor}`);
  return members.join(', ');
}

// A text of structured fields has ASCII that can be seen, and blanks.
function quoted(text: string): string {
  return `"${text.replaceAll(/[^ -~]/g, '?').replaceAll(/["\\]/g, '\\$&')}"`;
}

function explainFields(
  { requestId, agent, found }: Replied,
  { key, slot, order, skipped, eased }: Explanation,
  { hostnameOf }: FieldsContext,
): readonly string[] {
  const name = (seat: SeatId) => hostnameOf(seat) ?? `seat ${seat}`;
  const [owner] = order;
  const fields = {
    'Request-Id': requestId,
    'Key-Source': found.source.replaceAll(/[^ -~]/g, '?'),
    Key: key,
    Slot: slot,
    Owner: owner === undefined ? '' : name(owner),
    // The replica that replied: not the first one picked, if that one failed.
    Replica: agent?.replica.hostname ?? '',
    Skipped: listed(skipped, ({ seat, why }) => `${name(seat)} (${why})`),
    Order: listed(order, name),
    ...(eased.length > 0 && {
      Eased: listed(eased, ({ replica, share, why }) => `${replica.hostname} ${shareText(share)} (${reasonText(why)})`),
    }),
  };
  return Object.entries(fields).flatMap(([field, value]) => [`X-Ringmaster-${field}`, String(value)]);
}

function listed<T>(all: readonly T[], name: (one: T) => string): string {
  const names = all.slice(0, MOST_NAMED).map(name);
  if (all.length > MOST_NAMED) names.push('...');
  return names.join(', ');
}
