// Process entry: parses the options, starts a balancer, and handles signals. No logic of its own.

// On an old Node, this one has to be first.
import './system/node-version.ts';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { type Balancer, createBalancer } from './balancer.ts';
import { SUBCOMMANDS } from './commands/subcommands.ts';
import { describe } from './errors.ts';
import { loadSettings } from './settings/file/settings.ts';
import { helpText } from './settings/help.ts';
import { ignoredInEnvironment, OptionError } from './settings/options.ts';
import { startedByNohup } from './system/nohup.ts';
import { takeNotify, takeSockets } from './system/service-manager.ts';
import { hasTerminal } from './system/terminal.ts';
import { farewell, greeting } from './terminal/greeting.ts';
import { paintFor } from './terminal/paint.ts';
import { standardErrorLog } from './terminal/standard-error.ts';
import { showStarting } from './terminal/starting.ts';
import { type ProcessBefore, takeProcessBefore } from './upgrade/process-before.ts';
import { tellTaken, whyNeverReplaced } from './upgrade/taking.ts';

// The kernel takes the terminal away soon after its signal.
const TERMINAL_LOSS_MS = 200;

// npm passes Ctrl-C on to a process that already had it from the terminal. A second signal this soon is the same one.
const SAME_SIGNAL_MS = 150;

// The attack: any process of this user opens the inspector by this signal, and with it all that is in memory
// (test/end-to-end/log.test.ts). Until this line runs, `--disable-sigusr1` on the command line prevents that.
process.on('SIGUSR1', () => undefined);

const argv = process.argv.slice(2);
const subcommand = SUBCOMMANDS.get(argv[0] ?? '');
// What follows a lone `--` is meant for the command.
const ours = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
const asks = (...flags: readonly string[]) => flags.some((flag) => ours.includes(flag));
if (asks('--help', '-h')) {
  process.stdout.write(helpText(SUBCOMMANDS, (text) => paintFor(process.stdout)('bold', text)));
} else if (asks('--version', '-v')) {
  console.log(JSON.parse(readFileSync(new URL(import.meta.resolve('ringmaster/package.json')), 'utf8')).version);
} else {
  // An upgrade: a process like this one has started this one to take its place.
  const before = takeProcessBefore(process.env);
  try {
    if (subcommand !== undefined) process.exitCode = await subcommand.run(argv.slice(1));
    else await run(before);
  } catch (error) {
    await before?.fail(describe(error));
    // Of a file, each fault has a line.
    for (const line of describe(error).split('\n')) console.error(`ringmaster: ${line}`);
    process.exit(error instanceof OptionError ? 2 : 1);
  }
}

async function run(before: ProcessBefore | undefined): Promise<void> {
  // What systemd gives to this process it gives to the next one.
  const environment = { ...process.env };
  const reread = async () => (await loadSettings(argv, environment)).options;
  const options = await reread();
  // Whoever reads this output may go at any time. That is no reason to end, and the log must not log its own failure.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  const log = standardErrorLog(options.log, options.logFormat);
  for (const ignored of ignoredInEnvironment(process.env)) log.warn('variable-ignored', { ...ignored });
  // A mistake of ours in one request must not end all the others.
  process.on('uncaughtException', (error) => log.error('uncaught', { reason: describe(error), stack: error.stack }));
  const sockets = takeSockets(process.env, process.pid);
  const notify = takeNotify(process.env, (reason) => log.warn('notify-failed', { reason }));
  let balancer: Balancer | undefined;
  let firstSignalMs: number | undefined;
  const onSignal = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => {
    const nowMs = performance.now();
    if (firstSignalMs === undefined) {
      firstSignalMs = nowMs;
      // Without a balancer yet nothing was begun: the process ends at once.
      if (balancer === undefined) process.exit(0);
      // With a word of this process, systemd would take it for the main one again.
      if (!balancer.hasSuccessor) void notify('STOPPING=1');
      // The terminal has shown ^C at the start of the line.
      if (process.stdout.isTTY) console.log(`\n${farewell(options.graceMs, options.lameDuckMs)}`);
      void balancer.close().finally(() => process.exit(0));
    } else if (nowMs - firstSignalMs > SAME_SIGNAL_MS && balancer?.hurry() !== true) {
      process.exit(128 + constants.signals[signal]);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('SIGUSR1', () => void balancer?.reopenAccessLog());
  // The log says how it went.
  process.on('SIGUSR2', () => void balancer?.call('/balancer/upgrade', {}).catch(() => undefined));
  const started = Promise.withResolvers<void>();
  const reload = async () => {
    await started.promise;
    if (firstSignalMs !== undefined) return;
    // The log says what came of it.
    await balancer?.call('/balancer/reload', undefined).catch(() => undefined);
  };
  const onHangUp = options.config === '' ? onSignal : hangUpListener(onSignal, reload);
  process.on('SIGHUP', startedByNohup() ? () => undefined : onHangUp);

  const never = whyNeverReplaced(options, before !== undefined);
  const succession = { environment, startTimeoutMs: options.startTimeoutMs, never };
  const taking = before && { before, handover: await before.handover() };
  balancer = await createBalancer(options, log, {
    ...{ sockets, showsLastLines: true, succession, taking },
    ...(options.config === '' ? {} : { reread }),
  });
  void balancer.replaced.then(() => process.exit(0));
  if (taking !== undefined) {
    await balancer.start();
    started.resolve();
    await notify('READY=1', `STATUS=has taken over from process ${taking.handover.pid}`);
    tellTaken(taking, log);
    return;
  }
  const showNoMore = showStarting(balancer.replicas);
  const port = await balancer.start().finally(showNoMore);
  started.resolve();
  if (firstSignalMs !== undefined) return;
  void notify('READY=1', `STATUS=listens on port ${port}`);
  const { drawnToken } = balancer;
  const beginning = { port, replicas: balancer.replicas(), whyNone: balancer.whyNone(), drawnToken };
  const lines = greeting(options, beginning, paintFor(process.stdout));
  // Among the lines of the log it stands apart.
  console.log((process.stdout.isTTY ? ['', ...lines, ''] : lines).join('\n'));
}

// With a file to read again, SIGHUP means that. It also comes when the terminal is closed, which is an end as ever.
function hangUpListener(end: (signal: 'SIGHUP') => void, reload: () => void): () => void {
  const hadTerminal = hasTerminal();
  return () => {
    if (hadTerminal) setTimeout(() => (hasTerminal() ? reload() : end('SIGHUP')), TERMINAL_LOSS_MS);
    else reload();
  };
}
