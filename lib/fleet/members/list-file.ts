// A list of members in a file (`--members`), which a controller or somebody else replaces. It is looked at when its
// directory tells of a change, and every half second all the same, since network file systems tell nothing. A file that
// cannot be understood changes nothing: the last good one holds, and the log says why, once for each text.

import { watch as watchDirectory } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type ListLimits, type MemberList, parseMemberList } from '../../core/members/member-list.ts';
import type { Clock } from '../../core/ports.ts';
import { describe } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { ListSource } from './listed.ts';

const LOOK_EVERY_MS = 500;
// 2,048 places, each with the longest hostname and address, take less than half of it.
const MAX_BYTES = 2 ** 20;

export interface ListFilePorts {
  readonly path: string;
  readonly limits: ListLimits;
  readonly clock: Clock;
  readonly log: Log;
}

export function listFile(ports: ListFilePorts): ListSource {
  const { path, clock, log } = ports;
  // The file as it was looked at last, its text, good or not, and the last good text.
  let state = '';
  let seen: string | undefined;
  let good: string | undefined;
  let fault: string | undefined;
  const tell = (reason: string) => {
    if (reason !== fault) log.error('members-unread', { file: path, reason, ...keeps(good) });
    fault = reason;
  };
  const look = async (): Promise<MemberList | undefined> => {
    try {
      const stateNow = await stateOf(path);
      if (stateNow === state) return undefined;
      const text = await readAtMost(path, MAX_BYTES);
      state = stateNow;
      if (text === seen) return undefined;
      seen = text;
      const parsed = parseMemberList(text, ports.limits);
      if ('fault' in parsed) throw new Error(parsed.fault);
      fault = undefined;
      log.info('members-read', { file: path, members: parsed.list.members.length });
      if (text === good) return undefined;
      good = text;
      return parsed.list;
    } catch (error) {
      tell(describe(error));
      return undefined;
    }
  };
  return { read: look, watch: (next) => watchFile(path, clock, look, next) };
}

function watchFile(
  path: string,
  clock: Clock,
  look: () => Promise<MemberList | undefined>,
  next: (list: MemberList) => void,
): () => void {
  let isOver = false;
  // Looks come one after the other, so that an older text is never taken for a newer one.
  let last: Promise<void> = Promise.resolve();
  let waits = false;
  const lookSoon = () => {
    if (waits) return;
    waits = true;
    last = last.then(async () => {
      waits = false;
      const list = isOver ? undefined : await look();
      if (list !== undefined && !isOver) next(list);
    });
  };
  const endTimer = clock.every(LOOK_EVERY_MS, lookSoon);
  const endWatch = watchName(path, lookSoon);
  return () => {
    isOver = true;
    endTimer();
    endWatch();
  };
}

// The directory is watched and not the file: a file that is replaced is another one. Where that cannot be watched, the
// timer has to do.
function watchName(path: string, onChange: () => void): () => void {
  try {
    const name = basename(path);
    const watcher = watchDirectory(dirname(path), { persistent: false }, (_, changed) => {
      if (changed === name) onChange();
    });
    watcher.on('error', () => watcher.close());
    return () => watcher.close();
  } catch {
    return () => undefined;
  }
}

function keeps(good: string | undefined): { readonly keeps: string } {
  return { keeps: good === undefined ? 'no members' : 'the last good list' };
}

// The same while nobody has written or replaced the file.
async function stateOf(path: string): Promise<string> {
  const { ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
}

// The slip: a path that leads to a device or a log without an end.
async function readAtMost(path: string, maxBytes: number): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const tooLarge = () => new Error(`it is larger than ${maxBytes} bytes`);
    if (size > maxBytes) throw tooLarge();
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes + 1), 0, maxBytes + 1, 0);
    if (bytesRead > maxBytes) throw tooLarge();
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
