// What a heap holds, by the file that V8 writes of it: the objects of the program, and the code that V8 made of it.

/** Sums of the sizes of what is reachable. */
export interface HeapParts {
  readonly objectBytes: number;
  /** Bytecode, machine code, and what V8 notes about both and about the shapes of objects. */
  readonly codeBytes: number;
}

// V8 compiles what runs often, rarely taken ways late, so this grows for hours and no more than the program is large.
const OF_CODE: ReadonlySet<string> = new Set(['code', 'hidden', 'object shape']);

interface Snapshot {
  readonly snapshot: {
    readonly meta: { readonly node_fields: string[]; readonly node_types: [string[], ...unknown[]] };
  };
  /** The fields of all nodes, one node after the other. */
  readonly nodes: readonly number[];
}

/** @param text a snapshot as `v8.writeHeapSnapshot` writes it (v8/src/profiler/heap-snapshot-generator.cc). */
export function heapPartsOf(text: string): HeapParts {
  const { snapshot, nodes } = JSON.parse(text) as Snapshot;
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const [typeAt, sizeAt] = [fields.indexOf('type'), fields.indexOf('self_size')];
  let [objectBytes, codeBytes] = [0, 0];
  for (let node = 0; node < nodes.length; node += fields.length) {
    const bytes = nodes[node + sizeAt] ?? 0;
    if (OF_CODE.has(types[0][nodes[node + typeAt] ?? 0] ?? '')) codeBytes += bytes;
    else objectBytes += bytes;
  }
  return { objectBytes, codeBytes };
}
