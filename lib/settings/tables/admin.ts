// Options of the balancer's own endpoints.

import { choice, fileMode, integer, socketPath, text, token } from '../kinds.ts';
import { atStart, group, option } from '../option.ts';

const BOUND = atStart('what is listened on is bound once');
const SETTLED = atStart('who may change the fleet is settled before anybody can ask');

export const ADMIN = group('Admin', 'who may change the fleet, and where the balancer’s endpoints are', {
  admin: option(
    choice(['auto', 'open', 'token']),
    'auto',
    SETTLED,
    'who may change the fleet: anyone, or who has the token; `auto`: anyone, on loopback without a token or a proxy',
  ),
  'admin-token': option(
    token,
    '',
    SETTLED,
    'the token; if it is needed and empty, one is drawn and printed at the start',
  ),
  'admin-port': option(
    integer(0, 65_535),
    0,
    BOUND,
    'separate port for the balancer’s endpoints; 0 leaves them on the public one',
  ),
  'admin-host': option(text('an address or hostname'), '127.0.0.1', BOUND, 'address to listen on for `--admin-port`'),
  'admin-socket': option(socketPath, '', BOUND, 'Unix socket for the balancer’s endpoints, instead of a port'),
  'admin-socket-mode': option(fileMode, 0o600, BOUND, 'mode of that socket: who may open it'),
});
