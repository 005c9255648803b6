// Plays many messages, most of them broken, on a few tracks at once. A fault names the seed and the number that repeat
// it.

import { openPipelineTrack } from './pipelines.ts';
import { openReplyTrack } from './replies.ts';
import { openRequestTrack, type Track } from './requests.ts';

const OPEN = { requests: openRequestTrack, replies: openReplyTrack, pipelines: openPipelineTrack };

export type Kind = keyof typeof OPEN;
export const KINDS = Object.keys(OPEN) as Kind[];

const TRACKS = 8;
const MAX_FAULTS = 20;

/** Plays the cases `from` … `from + count - 1` of a seed. Resolves with the faults, at most 20. */
export async function fuzz(kind: Kind, seed: number, from: number, count: number): Promise<readonly string[]> {
  const faults: string[] = [];
  let next = from;
  const onThrown = (error: unknown) => faults.push(`thrown: ${error instanceof Error ? error.stack : error}`);
  process.on('uncaughtException', onThrown);
  const run = async () => {
    const track: Track = await OPEN[kind]();
    while (next < from + count && faults.length < MAX_FAULTS) {
      const index = next;
      next += 1;
      const fault = await track.play(seed, index);
      if (fault !== undefined) faults.push(`${kind} --seed ${seed} --from ${index} --count 1: ${fault}`);
    }
    await track.close();
  };
  // A track that cannot be closed is a fault as well. Thrown from here, only `onThrown` would get it, and nothing would
  // be printed.
  await Promise.all(Array.from({ length: Math.min(TRACKS, count) }, () => run().catch(onThrown)));
  process.off('uncaughtException', onThrown);
  return faults;
}
