// Asks another balancer for what decides where its keys lead. Its answer is bounded in size, and whoever calls bounds
// the time.

import http from 'node:http';
import { type Digest, readDigest } from '../../core/members/agreement.ts';

export const DIGEST_PATH = '/balancer/digest';

const MAX_BYTES = 65_536;

/** Gives the digest of the balancer at that URL. Rejects if there is none, or `signal` is aborted. */
export type AskPeer = (url: string, signal: AbortSignal) => Promise<Digest>;

// The token that changes of the fleet take is not sent: the answer is for everybody, as that of /balancer/ring is, and
// a peer may be anybody who has its address.
export const askPeer: AskPeer = (url, signal) =>
  new Promise((resolve, reject) => {
    const request = http.get(new URL(DIGEST_PATH, url), { agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length > MAX_BYTES) request.destroy(new Error(`it answers more than ${MAX_BYTES} bytes`));
      });
      response.once('error', reject);
      response.once('end', () => {
        const digest = response.statusCode === 200 ? readDigest(text) : undefined;
        if (digest !== undefined) resolve(digest);
        else reject(new Error(`it answers ${response.statusCode} to ${DIGEST_PATH}, and no digest`));
      });
    });
    request.once('error', reject);
  });
