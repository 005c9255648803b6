// What systemd gives to a service: sockets that it has opened (sd_listen_fds(3)). What it wants to hear: how far the
// service is (sd_notify(3)). Nothing happens where this process was not started by systemd.

import { execFile } from 'node:child_process';

// Where systemd puts the first of its sockets.
const FIRST_DESCRIPTOR = 3;
const MOST_SOCKETS = 64;
// For systemd to hear something.
const LONGEST_MS = 10_000;

/**
 * The file descriptors of the sockets that were opened for this process, none if there are none. Takes them out of
 * `environment`, since they are not for replicas.
 */
export function takeSockets(environment: NodeJS.ProcessEnv, pid: number): readonly number[] {
  const { LISTEN_PID, LISTEN_FDS } = environment;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) delete environment[name];
  // They may be meant for a parent of this process, which has them no more.
  if (LISTEN_PID !== String(pid)) return [];
  const count = Number(LISTEN_FDS);
  if (!Number.isInteger(count) || count < 0 || count > MOST_SOCKETS) return [];
  return Array.from({ length: count }, (_, index) => FIRST_DESCRIPTOR + index);
}

/**
 * Tells how far this service is, and which process it is, if anybody wants to know. Resolves when that has been heard.
 * @param states such as `READY=1`.
 */
export type Notify = (...states: readonly string[]) => Promise<void>;

/**
 * Gives the function that tells systemd. Takes where to out of `environment`, since replicas are not to speak for the
 * service.
 * @param onError called with the reason when systemd could not be told.
 */
export function takeNotify(environment: NodeJS.ProcessEnv, onError: (reason: string) => void): Notify {
  const { NOTIFY_SOCKET } = environment;
  delete environment.NOTIFY_SOCKET;
  if (NOTIFY_SOCKET === undefined) return () => Promise.resolve();
  // Node cannot send to a Unix datagram socket. systemd has a program that does it.
  const env = { PATH: environment.PATH, NOTIFY_SOCKET };
  return (...states) =>
    new Promise((resolve) => {
      execFile('systemd-notify', [`--pid=${process.pid}`, ...states], { env, timeout: LONGEST_MS }, (error) => {
        if (error !== null) onError(error.message.trim());
        resolve();
      });
    });
}
