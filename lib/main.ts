// Process entry: options in, a balancer started, signals heard. No logic of its own.

import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { type Balancer, createBalancer } from './balancer.ts';
import { describe } from './errors.ts';
import { createLog } from './log.ts';
import { helpText, OptionError, type Options, parseOptions } from './settings/options.ts';

// npm passes a Ctrl-C on to a process that already had it from the terminal: so soon it is the same one.
const SAME_SIGNAL_MS = 150;

const argv = process.argv.slice(2);
if (argv.includes('--help')) {
  process.stdout.write(helpText());
} else if (argv.includes('--version')) {
  console.log(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version);
} else {
  try {
    await run(parseOptions(argv, process.env));
  } catch (error) {
    console.error(`ringmaster: ${explain(error)}`);
    process.exit(error instanceof OptionError ? 2 : 1);
  }
}

async function run(options: Options): Promise<void> {
  // Whoever read what is printed here has gone: that is no reason to end, and the log must not log its own failure.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  const log = createLog(
    options.log,
    (line) => process.stderr.write(line),
    () => new Date(),
  );
  // A mistake of ours in one request must not end all the others.
  process.on('uncaughtException', (error) => log.error('uncaught', { reason: describe(error), stack: error.stack }));
  let balancer: Balancer | undefined;
  let firstSignalMs: number | undefined;
  const onSignal = (signal: 'SIGINT' | 'SIGTERM') => {
    const nowMs = performance.now();
    if (firstSignalMs === undefined) {
      firstSignalMs = nowMs;
      // Until there is one, nothing was begun; what it is waiting for may take a minute.
      if (balancer === undefined) process.exit(0);
      void balancer.close().finally(() => process.exit(0));
    } else if (nowMs - firstSignalMs > SAME_SIGNAL_MS) {
      process.exit(128 + constants.signals[signal]);
    }
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);

  balancer = await createBalancer(options, log);
  const port = await balancer.start();
  if (firstSignalMs !== undefined) return;
  const url = `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`;
  console.log(`ringmaster listens on ${url}`);
  console.log(`replicas: ${balancer.hostnames().join(', ')}`);
  if (options.adminPort !== 0) console.log(`its own endpoints: port ${options.adminPort}`);
  // Here only: the log is kept, and read by others.
  if (balancer.drawnToken !== undefined) console.log(`admin token: ${balancer.drawnToken}`);
  const none = balancer.whyNone();
  // Without a replica there is nothing to try.
  console.log(none === undefined ? `try: curl ${url}/home    stop: Ctrl-C` : `${none}\nstop: Ctrl-C`);
}

function explain(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  const { port, address } = error as { port?: number; address?: string };
  if (code === 'EADDRINUSE')
    return `port ${port} on ${address} is in use: end what uses it, or choose another with --port`;
  if (code === 'EACCES')
    return `port ${port} on ${address} may not be used by this user: choose one from 1024 up with --port`;
  return describe(error);
}
