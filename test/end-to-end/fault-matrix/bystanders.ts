// Requests beside the faults, and the server that answers them. They have a thread of their own, so that they do not
// wait for the relays and the clients of the faults, but only for the balancer.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

export interface Answered {
  /** The times of the requests that were answered, in ms. */
  readonly tookMs: readonly number[];
  /** What went wrong with the others. */
  readonly failures: readonly string[];
}

export type Order =
  | {
      readonly type: 'send';
      readonly id: number;
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly perSecond: number;
    }
  | { readonly type: 'stop'; readonly id: number };

export interface Bystanders {
  /** Of the server. */
  readonly port: number;
  /** Sends that many GETs a second, until the function that it returns is called. */
  send(url: string, headers: Readonly<Record<string, string>>, perSecond: number): () => Promise<Answered>;
  close(): Promise<void>;
}

export async function openBystanders(): Promise<Bystanders> {
  const worker = new Worker(new URL('./bystander-thread.ts', import.meta.url));
  const [port] = (await once(worker, 'message')) as [number];
  let lastId = 0;
  const order = (one: Order) => worker.postMessage(one);
  const answeredTo = (id: number) =>
    new Promise<Answered>((resolve) => {
      const take = (said: { id: number; answered: Answered }) => {
        if (said.id !== id) return;
        worker.off('message', take);
        resolve(said.answered);
      };
      worker.on('message', take);
    });
  return {
    port,
    send: (url, headers, perSecond) => {
      lastId += 1;
      const id = lastId;
      order({ type: 'send', id, url, headers, perSecond });
      return () => {
        const answered = answeredTo(id);
        order({ type: 'stop', id });
        return answered;
      };
    },
    close: async () => void (await worker.terminate()),
  };
}
