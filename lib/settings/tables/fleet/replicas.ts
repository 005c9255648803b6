// Options of the replicas, wherever they run.

import { choice, duration, integer, onOff, path } from '../../kinds.ts';
import { nameServers, variables } from '../../lists/kinds.ts';
import { type Upstream, upstreams } from '../../lists/upstream.ts';
import { atStart, group, option, PROCESSORS, settled } from '../../option.ts';

const SUPERVISED = atStart('the supervisor goes by what it began with');
const STARTED = atStart('replicas that run keep what they were started with');

export const REPLICAS = group('Replicas', 'how many there are, and who runs them', {
  replicas: option(
    integer(0, 1000),
    3,
    // Another number in the file scales to it. Until then /add and /rm say how many there are.
    'live',
    'number of replicas at the start',
  ),
  'max-replicas': settled(
    integer(1, 1000),
    '64, or --slots if that is less',
    // Each seat needs a slot, so a small ring lowers the default.
    (given, { slots }: { slots: number }) => given ?? Math.min(64, slots),
    atStart('places and file descriptors are shared out by it'),
    'most replicas that there may be',
  ),
  'keep-scale': option(
    onOff,
    false,
    atStart('what was kept is read at the start'),
    'begin with the hostnames, weights and given addresses of the last run, kept in `--state-dir`',
  ),
  'state-dir': option(
    path,
    './data',
    atStart('what was kept is read at the start'),
    'directory of the file of `--keep-scale`',
  ),
  // Which services there are could change. Whether replicas are started could not, since --runtime settles that.
  upstream: option(
    upstreams,
    new Map<string, Upstream>(),
    'live',
    'balance over these services instead of starting replicas',
  ),
  'dns-servers': option(
    nameServers,
    [] as readonly string[],
    atStart('names are looked up there from the start on'),
    'name servers that `dns:` asks; if empty, those of the system',
  ),
  'dns-settle': option(
    duration(1000, 3_600_000),
    30_000,
    atStart('names are looked up by it from the start on'),
    'time that there have to be more or fewer `dns:` services before the ring changes',
  ),
  runtime: settled(
    choice(['process', 'docker', 'swarm']),
    'process; docker with --docker-image',
    (given, { dockerImage }: { dockerImage: string }) => given ?? (dockerImage === '' ? 'process' : 'docker'),
    atStart('the replicas that there are belong to it'),
    'where replicas run',
  ),
  'replica-env': option(
    variables,
    new Map<string, string>(),
    STARTED,
    'variable of each replica; may hold `{port}`, `{socket}`, `{id}` and `{seat}`',
  ),
  'replica-cwd': option(path, '', STARTED, 'working directory of child processes; if empty, this one'),
  'replica-listen': settled(
    choice(['port', 'socket']),
    'port; socket with {socket} or no command',
    (given, { command }: { command: readonly string[] }) =>
      given ?? (command.length === 0 || command.some((part) => part.includes('{socket}')) ? 'socket' : 'port'),
    STARTED,
    'what `PORT` is for a child process: a free port of 127.0.0.1, or a Unix socket',
  ),
  'replica-output': settled(
    choice(['inherit', 'prefix', 'off']),
    'prefix with a command, else inherit',
    (given, { command }: { command: readonly string[] }) => given ?? (command.length === 0 ? 'inherit' : 'prefix'),
    STARTED,
    'whether their output is shown as it is, by line behind the hostname, or not',
  ),
  'start-timeout': option(
    duration(100, 3_600_000),
    30_000,
    SUPERVISED,
    'time for a replica to pass its first heartbeat after its start',
  ),
  'parallel-starts': settled(
    integer(0, 1000),
    '0',
    // If all started at once, each would take longer than it may. At least two start together, so that one that hangs
    // does not hold up the rest.
    (given = 0) => (given === 0 ? Math.max(2, PROCESSORS) : given),
    SUPERVISED,
    'most replicas that start at a time; 0: one for each processor, at least two',
  ),
});
