// Which client a socket belongs to. All sockets share the functions here, since closures of their own would take memory
// while they are idle.

import type { Socket } from 'node:net';
import { readShared } from './plain/shared-buffer.ts';

/** What a client hears of its socket. */
export interface SocketOwner {
  /** Bytes have come, which are only lent. False asks for a pause. */
  onRead(bytes: Buffer): boolean;
  /** The client takes bytes again. */
  onDrain(): void;
  /** The client has ended its side. */
  onEnd(): void;
  /** The connection is gone. */
  onClose(): void;
}

const OWNER = Symbol('owner');
type OwnedSocket<Owner extends SocketOwner> = Socket & { [OWNER]: Owner };

/** The owner of that socket, if it has one already. */
export function ownerOf<Owner extends SocketOwner>(socket: Socket): Owner | undefined {
  return (socket as Partial<OwnedSocket<Owner>>)[OWNER];
}

/** Gives the socket its owner. False if its bytes do not come to `onRead`, because this version of Node cannot. */
export function own(socket: Socket, owner: SocketOwner): boolean {
  const owned = Object.assign(socket, { [OWNER]: owner });
  owned.on('drain', onDrain);
  owned.on('end', onEnd);
  owned.on('close', onClose);
  // An error is followed by `close`. One that nobody hears would end the process.
  owned.on('error', ignore);
  return readShared(owned, onRead);
}

function onRead(this: OwnedSocket<SocketOwner>, sizeBytes: number, buffer: Buffer): boolean {
  return this[OWNER].onRead(buffer.subarray(0, sizeBytes));
}

function onDrain(this: OwnedSocket<SocketOwner>): void {
  this[OWNER].onDrain();
}

function onEnd(this: OwnedSocket<SocketOwner>): void {
  this[OWNER].onEnd();
}

function onClose(this: OwnedSocket<SocketOwner>): void {
  this[OWNER].onClose();
}

function ignore(): void {}
