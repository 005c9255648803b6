// Options of the balancer itself.

import { LOG_LEVELS } from '../../log.ts';
import { choice, duration, integer, text } from '../kinds.ts';
import { group, option } from '../option.ts';

export const SERVICE = group('Service', 'where it listens, how it ends and what it says', {
  port: option(integer(0, 65_535), 5000, 'port to listen on; 0 picks a free one and prints it'),
  host: option(text('an address or hostname'), '127.0.0.1', 'address to listen on'),
  grace: option(duration(0, 3_600_000), 10_000, 'time that open requests have when a replica or the balancer stops'),
  log: option(choice(LOG_LEVELS), 'info', 'lines on standard error: those of this level and graver ones'),
});
