// Where the time of a profiled process went, from the ticks that `node --prof` took. Pure: profile.ts collects the
// ticks and prints.

/** The parts of the output of `node --prof-process --preprocess` that are used. */
export interface Profile {
  readonly code: readonly { readonly name: string; readonly type: string }[];
  /**
   * `vm` is what V8 was doing. `s` is the stack, innermost first, as pairs of an index into `code` (or -1) and an
   * offset.
   */
  readonly ticks: readonly { readonly vm: number; readonly s: readonly number[] }[];
}

export interface Share {
  readonly name: string;
  /** The part of all ticks, from 0 to 1. */
  readonly part: number;
}

export interface TickSummary {
  readonly ticks: number;
  /** Shares by what was running. */
  readonly layers: readonly Share[];
  /** Shares by the file of ours that was running or had called what was running. */
  readonly files: readonly (Share & { readonly ownPart: number })[];
  /** Functions of ours by their own time. */
  readonly functions: readonly Share[];
}

// V8's states: 1 collects garbage, 2 … 4 parse and compile.
const COLLECTS = 1;
const COMPILES = [2, 3, 4];
const OURS = /file:\/\/\S*?\/((?:lib|replica)\/[\w./-]+\.ts)/;
// The C library's names for functions that enter the kernel, or wait there for another thread.
const SYSTEM_CALL =
  /^_*(?:GI_+)?(?:libc_)?(?:p?writev?|p?readv?|epoll_\w+|connect|accept4?|close|shutdown|socket|sendmsg|recvmsg|syscall|futex\w*|lll_\w+|pthread_cond_\w+|mmap|munmap|madvise|mprotect|clock_gettime|getpeername|getsockname|setsockopt|fstat|open)(?:64)?(?:@@|$)/;

/** Whether those ticks were taken in a worker, and not in the main thread. */
export function isOfWorker({ code }: Profile): boolean {
  return code.some(({ name }) => name.includes('lib/worker.ts'));
}

export function summariseTicks({ code, ticks }: Profile): TickSummary {
  const layers = new Map<string, number>();
  const own = new Map<string, number>();
  const called = new Map<string, number>();
  const functions = new Map<string, number>();
  const count = (map: Map<string, number>, name: string) => map.set(name, (map.get(name) ?? 0) + 1);
  for (const { vm, s } of ticks) {
    const top = code[s[0] ?? -1];
    count(layers, layerOf(vm, top));
    const file = OURS.exec(top?.name ?? '')?.[1];
    if (vm !== COLLECTS && file !== undefined) {
      count(own, file);
      count(functions, `${top?.name.split(' ', 1)[0] || '(anonymous)'}  ${file}`);
    }
    const caller = vm === COLLECTS ? undefined : callerOf(code, s);
    if (caller !== undefined) count(called, caller);
  }
  const shares = (map: Map<string, number>) =>
    [...map].map(([name, found]) => ({ name, part: found / ticks.length })).sort((a, b) => b.part - a.part);
  return {
    ticks: ticks.length,
    layers: shares(layers),
    files: shares(called).map((share) => ({ ...share, ownPart: (own.get(share.name) ?? 0) / ticks.length })),
    functions: shares(functions),
  };
}

function layerOf(vm: number, top: Profile['code'][number] | undefined): string {
  if (vm === COLLECTS) return 'V8: garbage collection';
  if (COMPILES.includes(vm)) return 'V8: parsing and compiling';
  if (top === undefined) return 'unknown';
  if (OURS.test(top.name)) return 'ours';
  if (top.type === 'JS') return top.name.includes('node:') ? 'Node: its JavaScript' : 'other JavaScript';
  if (top.type === 'CODE') return 'V8: builtins';
  return SYSTEM_CALL.test(top.name) ? 'kernel: system calls' : 'Node and V8: C++';
}

function callerOf(code: Profile['code'], stack: readonly number[]): string | undefined {
  for (let at = 0; at < stack.length; at += 2) {
    const file = OURS.exec(code[stack[at] ?? -1]?.name ?? '')?.[1];
    if (file !== undefined) return file;
  }
  return undefined;
}
