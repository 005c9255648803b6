// Who watches, and what their page may do, by the listener that they came to and by the rules for changes.

import type { IncomingMessage } from 'node:http';
import { proxyMark } from '../../http/credentials.ts';
import type { AccessRules } from '../access.ts';
import type { Watcher } from './live-feed.ts';

interface Listener {
  /** The endpoints have a listener of their own. */
  readonly alone: boolean;
  readonly access: AccessRules;
  readonly originOf: (request: IncomingMessage) => string;
  /** Why the fleet is not changed here, and where it is; `undefined` if it is changed here. */
  readonly whyNotHere: () => string | undefined;
}

export function watcherOf({ access, alone, originOf, whyNotHere }: Listener, request: IncomingMessage): Watcher {
  const address = originOf(request);
  const elsewhere = whyNotHere();
  if (elsewhere !== undefined) return { address, alone, looksOnlyBecause: `${elsewhere}.` };
  // The attack: on the public port, a script of the service behind has the same origin and can read the token as it is
  // typed (test/browser/dashboard-token.test.ts). If changes need no token, there is no secret to read.
  if (alone) return { address, alone, looksOnlyBecause: undefined };
  if (access.token !== undefined) {
    return {
      address,
      alone,
      looksOnlyBecause:
        'Changes take the admin token and are made on the admin port (--admin-port): here a script of the service behind could read a token that is typed.',
    };
  }
  const mark = access.refusesProxied ? proxyMark(request) : undefined;
  const looksOnlyBecause =
    mark &&
    `This page came through a proxy (${mark}): changes are made on the machine itself, or on the admin port (--admin-port).`;
  return { address, alone, looksOnlyBecause };
}
