// The ReplicaRuntime of a fleet whose members are all given: it has no replicas and starts none.

import type { ReplicaRuntime } from '../../core/ports.ts';
import { BalancerError } from '../../errors.ts';

export function createNoRuntime(): ReplicaRuntime {
  return {
    begin: () => Promise.resolve(),
    start: () => Promise.reject(new BalancerError('start-failed', 'nothing is started here')),
    stop: () => Promise.resolve(),
    list: () => Promise.resolve([]),
    watch: () => () => undefined,
    close: () => Promise.resolve(),
  };
}
