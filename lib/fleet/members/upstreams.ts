// ReplicaRuntime over services that someone else runs (`--upstream`): nothing is started, stopped or replaced. A "start" only
// says where the service is; the probes find out whether it is there.

import type { Address, PresentReplica, ReplicaRuntime } from '../../core/ports.ts';

/** @param upstreams the services by the name that stands for their hostname. */
export function createUpstreamRuntime(upstreams: ReadonlyMap<string, Address>): ReplicaRuntime {
  const replicas = new Map<number, PresentReplica>();
  return {
    start: async (replica) => {
      const address = upstreams.get(replica.hostname);
      if (address === undefined) throw new Error(`${replica.hostname} is not one of the upstreams`);
      replicas.set(replica.incarnation, { replica, address });
      return address;
    },
    stop: async ({ incarnation }) => {
      replicas.delete(incarnation);
    },
    list: async () => [...replicas.values()],
    watch: () => () => undefined,
    close: async () => replicas.clear(),
  };
}
