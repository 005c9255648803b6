// The metrics of this process, by the names that all Prometheus clients use, and of the program.

import { type Family, labels } from './exposition.ts';
import type { MetricsFacts, ProcessFacts } from './facts.ts';

export const PROCESS_FAMILIES: readonly Family<MetricsFacts>[] = [
  {
    name: 'ringmaster_build',
    help: 'What runs: the version of ringmaster and of Node.',
    type: 'info',
    by: ['version', 'node'],
    samples: ({ build }) => [[labels({ ...build }), 1]],
  },
  row('process_cpu_seconds', 'counter', 'User and system CPU time spent in seconds.', 'cpuSeconds'),
  row('process_start_time_seconds', 'gauge', 'When the process started, in seconds since 1970.', 'startTimeSeconds'),
  row('process_resident_memory_bytes', 'gauge', 'Resident memory size in bytes.', 'residentBytes'),
  row('process_heap_bytes', 'gauge', 'Heap of the main thread in bytes, as it is used.', 'heapBytes'),
  row('process_open_fds', 'gauge', 'Open file descriptors.', 'openDescriptors'),
  row('process_max_fds', 'gauge', 'The most file descriptors that may be open.', 'maxDescriptors'),
];

function row(name: string, type: 'counter' | 'gauge', help: string, of: keyof ProcessFacts): Family<MetricsFacts> {
  const samples = ({ process }: MetricsFacts) => {
    const value = process[of];
    return value === undefined ? [] : [['', value] as const];
  };
  return { name, type, help, by: [], samples };
}
