// A task of a Swarm as the manager tells it: whether it runs, where it can be reached, and how it ended.

import type { Address } from '../../../core/ports.ts';

export interface SwarmPort {
  readonly Protocol?: string;
  readonly TargetPort?: number;
  readonly PublishedPort?: number;
  readonly PublishMode?: string;
}

export interface SwarmTask {
  readonly ID: string;
  readonly ServiceID: string;
  readonly CreatedAt: string;
  /** Missing for a service that runs on every node. */
  readonly Slot?: number;
  readonly NodeID?: string;
  readonly DesiredState: string;
  readonly Status: TaskStatus;
  readonly NetworksAttachments?: readonly {
    readonly Network: { readonly Spec: { readonly Name: string } };
    readonly Addresses?: readonly string[];
  }[];
}

interface TaskStatus {
  readonly State: string;
  readonly Err?: string;
  readonly ContainerStatus?: { readonly ExitCode?: number };
  readonly PortStatus?: { readonly Ports?: readonly SwarmPort[] };
}

export interface SwarmNode {
  readonly ID: string;
  readonly Description?: { readonly Hostname?: string };
  readonly Spec?: { readonly Availability?: string };
  readonly Status: { readonly State?: string; readonly Addr?: string };
  /** Of a manager, with the port at which managers reach it: `10.0.0.1:2377` or `[fd00::1]:2377`. */
  readonly ManagerStatus?: { readonly Addr?: string };
}

const ENDED = ['complete', 'shutdown', 'failed', 'rejected', 'remove', 'orphaned'];

/** Nothing of it runs any more, as far as the manager knows. */
export function hasEnded({ Status }: SwarmTask): boolean {
  return ENDED.includes(Status.State);
}

/** It runs, as far as the manager knows, though it may be about to end. */
export function isRunning({ Status }: SwarmTask): boolean {
  return Status.State === 'running';
}

/** It runs, and the Swarm wants it to end, because its node is drained or down or its service gone. */
export function isToEnd(task: SwarmTask): boolean {
  return isRunning(task) && task.DesiredState !== 'running';
}

/** Its node makes the container ready, which takes as long as it takes to fetch the image. */
export function isPreparing({ Status }: SwarmTask): boolean {
  return Status.State === 'preparing';
}

/** How far it has come, in words. */
export function stateOf(task: SwarmTask): string {
  const { State, Err = '' } = task.Status;
  if (isPreparing(task)) return 'its node still fetches the image (preparing)';
  return `its task is ${State}${Err === '' ? '' : `: ${Err}`}`;
}

/** How it ended, in words. */
export function endOf({ Status: { State, Err = '', ContainerStatus } }: SwarmTask): string {
  const code = ContainerStatus?.ExitCode ?? 0;
  if (State === 'complete' || (State === 'failed' && code !== 0)) return `exit code ${code}`;
  return Err === '' ? `its task is ${State}` : Err;
}

/**
 * Where a task can be reached; `undefined` if nowhere yet.
 * @param port that it listens on.
 * @param network the overlay network that is shared with it; empty: its port is published on its node.
 */
export function addressOf(
  task: SwarmTask,
  nodeOf: ReadonlyMap<string, SwarmNode>,
  port: number,
  network: string,
): Address | undefined {
  if (network !== '') {
    const attached = task.NetworksAttachments?.find(({ Network }) => Network.Spec.Name === network);
    const host = attached?.Addresses?.[0]?.split('/')[0];
    return host === undefined ? undefined : { type: 'tcp', host, port };
  }
  const published = task.Status.PortStatus?.Ports?.find(
    (one) => one.TargetPort === port && one.PublishMode === 'host' && one.PublishedPort !== undefined,
  );
  const host = hostOf(nodeOf.get(task.NodeID ?? ''));
  if (published?.PublishedPort === undefined || host === undefined) return undefined;
  return { type: 'tcp', host, port: published.PublishedPort };
}

// The leader may see itself at an address that means any, or itself alone (moby#35437). Other managers reach it at the
// one that it tells them.
function hostOf(node: SwarmNode | undefined): string | undefined {
  const { Status, ManagerStatus } = node ?? {};
  if (Status?.Addr !== undefined && !/^(|0\.0\.0\.0|127\..*|::1?)$/.test(Status.Addr)) return Status.Addr;
  const told = /^\[?(.+?)\]?:\d+$/.exec(ManagerStatus?.Addr ?? '')?.[1];
  return told ?? Status?.Addr;
}
