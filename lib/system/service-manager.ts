// What systemd gives to a service: sockets that it has opened (sd_listen_fds(3)). What it wants to hear: how far the
// service is (sd_notify(3)). Nothing happens where this process was not started by systemd.

import { execFile } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';
import { endianness } from 'node:os';

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
 * Whether a socket that listens is for this machine alone; `undefined` if that cannot be found out. Node tells an
 * address only once it listens itself, so this asks Linux (proc(5), /proc/net/tcp).
 */
export function isOnLoopback(descriptor: number): boolean | undefined {
  try {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`)) ?? [];
    if (inode === undefined) return undefined;
    const sockets = ['tcp', 'tcp6'].flatMap((table) => readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n'));
    const fields = sockets.map((line) => line.trim().split(/\s+/)).find((words) => words[9] === inode);
    const [words] = fields?.[1]?.split(':') ?? [];
    return words === undefined ? undefined : LOOPBACK.test(words);
  } catch {
    return undefined;
  }
}

// An address is written in words of 32 bits, each with its bytes as the processor has them: 127.0.0.0/8, ::1, and the
// first as a part of the second.
const LOOPBACK =
  endianness() === 'LE' ? /^(0{16}FFFF0000)?[0-9A-F]{6}7F$|^0{24}01000000$/ : /^(0{20}FFFF)?7F[0-9A-F]{6}$|^0{31}1$/;

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
