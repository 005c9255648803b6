// Options of the access log, and of the traces that requests belong to.

import { ACCESS_LOG_FORMATS, ACCESS_LOGS } from '../../core/traffic-settings.ts';
import { choice, path } from '../kinds.ts';
import { group, option } from '../option.ts';

export const ACCESS_LOG = group('Access log', 'a line for each request, and its trace', {
  'access-log': option(
    choice(ACCESS_LOGS),
    'off',
    'live',
    'requests that get a line: none, those with a status from 400 up or a reply that broke, or all',
  ),
  'access-log-format': option(
    choice(ACCESS_LOG_FORMATS),
    'json',
    'live',
    'form of the lines: JSON, or the combined form of Apache',
  ),
  'access-log-file': option(
    path,
    '-',
    'live',
    'file that they are appended to, opened anew on SIGUSR1; `-` for standard output',
  ),
  // What a proxy that records no spans may do: to begin a trace for each request is for whoever has no tracer in front.
  traceparent: option(
    choice(['pass', 'begin']),
    'pass',
    'live',
    'a traceparent (W3C Trace Context) passes as it is; `begin`: a request without a valid one gets one',
  ),
});
