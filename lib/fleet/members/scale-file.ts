// Keeps the scale of a fleet from one orderly end to the next start (`--keep-scale`), in a small file: the hostnames,
// their weights, and the addresses of given replicas. It is read once and written again whenever the fleet changes.

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { addressText, parseAddress } from '../../core/address.ts';
import { type FleetState, givenAddress, MAX_WEIGHT, placesOf } from '../../core/fleet/fleet-state.ts';
import { HOSTNAME_PATTERN, sameHostname } from '../../core/fleet/replica-name.ts';
import type { Wish } from '../../core/ports.ts';
import { describe } from '../../errors.ts';
import type { Log } from '../../log.ts';

export interface ScaleLimits {
  readonly maxReplicas: number;
  /** The most places that all replicas may have together: the slots of the ring. */
  readonly maxPlaces: number;
}

interface Kept {
  readonly hostname: string;
  readonly weight: number;
  /** Written as `parseAddress` reads it. */
  readonly address?: string;
}

export class ScaleFile {
  readonly #path: string;
  readonly #log: Log;
  #known = '';
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** The replicas to begin with; `undefined` if there is no file or it cannot be understood. */
  async read(limits: ScaleLimits): Promise<Wish[] | undefined> {
    try {
      const kept = checked(JSON.parse(await readFile(this.#path, 'utf8')));
      let places = 0;
      const fitting = kept.filter(({ weight }, index) => {
        places += weight;
        return index < limits.maxReplicas && places <= limits.maxPlaces;
      });
      if (fitting.length < kept.length) this.#log.warn('scale-cut', { kept: kept.length, fitting: fitting.length });
      return fitting.map(wishFor);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#tell('scale-unread', error);
      return undefined;
    }
  }

  /** Writes this fleet. A seat counts once it has served, so a change that never finished is not kept. */
  keep(state: FleetState): void {
    const served = state.seats.filter((seat) => seat.firstServedMs !== undefined);
    const replicas = served
      .toSorted((a, b) => a.joined - b.joined)
      .map((seat): Kept => {
        const { replica } = seat;
        const address = givenAddress(seat);
        const kept = { hostname: replica.hostname, weight: placesOf(replica).length };
        return address === undefined ? kept : { ...kept, address: addressText(address) };
      });
    const text = JSON.stringify({ replicas });
    if (text === this.#known) return;
    this.#known = text;
    this.#writing = this.#writing.then(() => this.#write(text)).catch((error) => this.#tell('scale-not-kept', error));
  }

  /** Resolves when everything to be kept has been written. */
  settled(): Promise<void> {
    return this.#writing;
  }

  // The rename makes the file whole or absent, even if the machine stops in the middle.
  async #write(text: string): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true });
    await writeFile(`${this.#path}.new`, `${text}\n`);
    await rename(`${this.#path}.new`, this.#path);
  }

  #tell(entry: string, error: unknown): void {
    this.#log.warn(entry, { file: this.#path, reason: describe(error) });
  }
}

function wishFor({ hostname, weight, address: written }: Kept): Wish {
  const address = written === undefined ? undefined : parseAddress(written);
  return address === undefined ? { hostname, weight, ifFree: true } : { hostname, weight, address };
}

function checked(parsed: unknown): Kept[] {
  const replicas = (parsed as { replicas?: unknown } | null)?.replicas;
  if (!Array.isArray(replicas)) throw new Error('it has no list of replicas');
  const names: string[] = [];
  return replicas.map((one: unknown, index) => {
    const { hostname, weight, address } = (one ?? {}) as { hostname?: unknown; weight?: unknown; address?: unknown };
    const isGiven = address !== undefined;
    if (isGiven && (typeof address !== 'string' || parseAddress(address) === undefined)) {
      throw new Error(`replicas[${index}] has no valid address`);
    }
    const isName = typeof hostname === 'string' && (HOSTNAME_PATTERN.test(hostname) || isGiven);
    if (!isName) {
      throw new Error(`replicas[${index}] has no valid hostname`);
    }
    if (names.some((other) => sameHostname(other, hostname))) throw new Error(`${hostname} is there twice`);
    if (!Number.isInteger(weight) || (weight as number) < 1 || (weight as number) > MAX_WEIGHT) {
      throw new Error(`replicas[${index}] has no valid weight`);
    }
    names.push(hostname);
    return { hostname, weight: weight as number, ...(isGiven ? { address: address as string } : {}) };
  });
}
