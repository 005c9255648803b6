// Options of the balancer itself: where it listens, who may change it, how it ends and what it says.

import { LOG_LEVELS } from '../../log.ts';
import { choice, duration, fileMode, integer, socketPath, text, token } from '../kinds.ts';
import { option } from '../option.ts';

export const SERVICE = {
  port: option(integer(0, 65_535), 5000, 'port to listen on; 0 picks a free one and prints it'),
  host: option(text('an address or hostname'), '127.0.0.1', 'address to listen on'),
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
  grace: option(duration(0, 3_600_000), 10_000, 'time that open requests have when a replica or the balancer stops'),
  log: option(choice(LOG_LEVELS), 'info', 'lines on standard error: those of this level and graver ones'),
} as const;
