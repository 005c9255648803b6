// Process entry: parses the options, starts a balancer, and handles signals. No logic of its own.

import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { type Balancer, createBalancer } from './balancer.ts';
import { describe } from './errors.ts';
import { createLog } from './log.ts';
import { lineWriter } from './log-stream.ts';
import { startedByNohup } from './nohup.ts';
import { helpText } from './settings/help.ts';
import { ignoredInEnvironment, OptionError, type Options, parseOptions } from './settings/options.ts';

// npm passes Ctrl-C on to a process that already had it from the terminal. A second signal this soon is the same one.
const SAME_SIGNAL_MS = 150;

// The attack: any process of this user opens the inspector by this signal, and with it all that is in memory
// (test/end-to-end/log.test.ts). Until this line runs, `--disable-sigusr1` on the command line prevents that.
process.on('SIGUSR1', () => undefined);

const argv = process.argv.slice(2);
// What follows a lone `--` is meant for the command.
const ours = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
if (ours.includes('--help')) {
  process.stdout.write(helpText());
} else if (ours.includes('--version')) {
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
} else {
  try {
    await run(parseOptions(argv, process.env));
  } catch (error) {
    console.error(`ringmaster: ${describe(error)}`);
    process.exit(error instanceof OptionError ? 2 : 1);
  }
}

async function run(options: Options): Promise<void> {
  // Whoever reads this output may go at any time. That is no reason to end, and the log must not log its own failure.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  const write = lineWriter(process.stderr, (count) => log.error('log-lines-dropped', { count }));
  const log = createLog(options.log, write, () => new Date());
  for (const ignored of ignoredInEnvironment(process.env)) log.warn('variable-ignored', { ...ignored });
  // A mistake of ours in one request must not end all the others.
  process.on('uncaughtException', (error) => log.error('uncaught', { reason: describe(error), stack: error.stack }));
  let balancer: Balancer | undefined;
  let firstSignalMs: number | undefined;
  const onSignal = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP') => {
    const nowMs = performance.now();
    if (firstSignalMs === undefined) {
      firstSignalMs = nowMs;
      // Without a balancer yet nothing was begun: the process ends at once.
      if (balancer === undefined) process.exit(0);
      void balancer.close().finally(() => process.exit(0));
    } else if (nowMs - firstSignalMs > SAME_SIGNAL_MS) {
      process.exit(128 + constants.signals[signal]);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // SIGHUP comes when the terminal is closed.
  process.on('SIGHUP', startedByNohup() ? () => undefined : onSignal);

  balancer = await createBalancer(options, log);
  const port = await balancer.start();
  if (firstSignalMs !== undefined) return;
  const url = urlOf(options.host, port);
  console.log(`ringmaster listens on ${url}`);
  console.log(`replicas: ${balancer.hostnames().join(', ')}`);
  if (options.adminPort !== 0) console.log(`its own endpoints: ${urlOf(options.adminHost, options.adminPort)}`);
  if (options.adminSocket !== '') console.log(`its own endpoints: ${options.adminSocket}`);
  // The token is printed but not logged, since the log is kept, and read by others.
  if (balancer.drawnToken !== undefined) console.log(`admin token: ${balancer.drawnToken}`);
  const none = balancer.whyNone();
  // Without a replica there is nothing to try.
  console.log(none === undefined ? `try: curl ${url}/home    stop: Ctrl-C` : `${none}\nstop: Ctrl-C`);
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
