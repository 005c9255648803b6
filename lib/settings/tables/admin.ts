// Options of the balancer's own endpoints.

import { choice, fileMode, integer, socketPath, text, token } from '../kinds.ts';
import { group, option } from '../option.ts';

export const ADMIN = group('Admin', 'who may change the fleet, and where the balancer’s endpoints are', {
  admin: option(
    choice(['auto', 'open', 'token']),
    'auto',
    'who may change the fleet: all, or who has the token; `auto`: all, on loopback without one and not through a proxy',
  ),
  'admin-token': option(token, '', 'that token; drawn and printed at the start if it is needed and empty'),
  'admin-port': option(
    integer(0, 65_535),
    0,
    'port of its own for the balancer’s endpoints; 0 leaves them on the public one',
  ),
  'admin-host': option(text('an address or hostname'), '127.0.0.1', 'address that `--admin-port` is on'),
  'admin-socket': option(socketPath, '', 'Unix socket for the balancer’s endpoints, instead of a port'),
  'admin-socket-mode': option(fileMode, 0o600, 'mode of that socket: who may use it'),
});
