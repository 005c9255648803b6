// Options of the balancer itself.

import { LOG_FORMATS, LOG_LEVELS } from '../../log.ts';
import { choice, duration, integer, orAuto, path, text } from '../kinds.ts';
import { atStart, group, ofCommand, option, PROCESSORS, settled } from '../option.ts';

const BOUND = atStart('what is listened on is bound once');

const MOST_WORKERS = 64;

export const SERVICE = group('Service', 'where it listens, how it ends and what it says', {
  config: ofCommand(
    option(path, '', atStart('a reload reads the same file again'), 'file with options, in JSON with comments'),
  ),
  port: option(integer(0, 65_535), 5000, BOUND, 'port to listen on; 0 picks a free one and prints it'),
  host: option(text('an address or hostname'), '127.0.0.1', BOUND, 'address to listen on'),
  workers: settled(
    orAuto(integer(1, MOST_WORKERS)),
    '1',
    (given = 1) => (given === 0 ? Math.min(MOST_WORKERS, PROCESSORS) : given),
    atStart('threads are begun once'),
    'threads that requests are spread over; `auto`: one for each processor that this process may use',
  ),
  grace: option(
    duration(0, 3_600_000),
    10_000,
    atStart('the supervisor goes by what it began with'),
    'time for open requests to finish when a replica or the balancer stops',
  ),
  'lame-duck': option(
    duration(0, 3_600_000),
    0,
    atStart('it is the last thing that the balancer does'),
    'time before that in which `/balancer/ready` says 503 and all else works, so that requests are sent elsewhere',
  ),
  log: option(choice(LOG_LEVELS), 'info', 'live', 'log lines on standard error: this level and more serious ones'),
  'log-format': option(
    choice(LOG_FORMATS),
    'auto',
    atStart('who reads the log reads one form'),
    'form of the log lines: JSON, text for people, or by itself: text on a terminal',
  ),
});
