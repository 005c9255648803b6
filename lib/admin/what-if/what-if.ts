// /balancer/what-if: what another fleet would make of the traffic of the last hour. It changes nothing. The play is
// made in slices of a few milliseconds with pauses in between, so that requests go on, and one at a time.

import { hostnameIn, placement } from '../../core/fleet/fleet-state.ts';
import { writeKeySpec } from '../../core/keys/key-spec.ts';
import type { Clock } from '../../core/ports.ts';
import { goesByRequestId, type KeySource } from '../../core/request/key-source.ts';
import type { SeatId } from '../../core/ring/ring.ts';
import { type Forecast, forecast, type SituationForecast } from '../../core/sketch/forecast.ts';
import { type MeasuredMoves, measuredMoves } from '../../core/sketch/measured-moves.ts';
import { mergeSketches, type SketchReading } from '../../core/sketch/reading.ts';
import { needsOf } from '../../core/what-if/needs.ts';
import { BalancerError } from '../../errors.ts';
import { type AnswerLimits, json } from '../answer.ts';
import { oneAtATime, type Run, type WaitingClient } from '../change-queue.ts';
import { parseWhatIf, type WhatIfQuestion } from './body.ts';
import { type FleetPorts, fleetsOf, type InSlices } from './fleets.ts';

export interface WhatIfPorts extends FleetPorts {
  readonly sketch: () => Promise<SketchReading>;
  /** The sources of `--key`. */
  readonly key: readonly KeySource[];
  readonly virtualNodes: number;
  /** The most that all weights may add up to. */
  readonly maxPlaces: number;
  readonly answerLimits: Pick<AnswerLimits, 'clock'>;
}

// A quarter of one processor at most.
const SLICE_MS = 4;
const PAUSE_MS = 12;
// Visits that are looked at in one go for what has moved.
const MOST_MEASURED = 32_768;

/** What runs the endpoint. Refuses a question while another is played. */
export function createWhatIf(ports: WhatIfPorts): Run {
  return oneAtATime(
    async (text, _query, client) => json(await whatIf(ports, text, client)),
    () => new BalancerError('what-if-busy', 'another what-if is being played: ask again in some seconds'),
  );
}

async function whatIf(ports: WhatIfPorts, text: string, client: WaitingClient): Promise<unknown> {
  // A list of --upstream may hold more places than /add may fill.
  const places = Math.max(ports.maxPlaces, ...placement(ports.state()).keys());
  const asked = parseWhatIf(text, places);
  const source = goesByRequestId(ports.key) ? null : writeKeySpec(ports.key);
  // The dashboard asks this again and again.
  if (asked.isOfChangeOnly) return { source, ...measuredIn(await ports.sketch(), asked) };
  const sliced: InSlices = (work) => inSlices(work, ports.answerLimits.clock, client);
  const fleets = await fleetsOf(ports, asked, sliced);
  const sketch = await ports.sketch();
  const { slots, virtualNodes } = ports;
  const settings = { slots, virtualNodes, cacheBytes: asked.cacheBytes, objectBytes: asked.objectBytes };
  const told = await sliced(forecast(sketch, fleets, settings));
  return {
    source,
    ...tellForecast(told, asked.now === undefined ? (seat) => hostnameIn(ports.state(), seat) : () => undefined),
    ...(asked.target !== undefined && { needs: needsOf(told.situations, asked.target) }),
    ...measuredIn(sketch, asked),
  };
}

function measuredIn(sketch: SketchReading, { changedMsAgo }: WhatIfQuestion): { measured?: MeasuredMoves } {
  if (changedMsAgo === undefined) return {};
  return { measured: measuredMoves(mergeSketches([sketch], MOST_MEASURED), changedMsAgo) };
}

async function inSlices<Result>(work: Generator<void, Result>, clock: Clock, client: WaitingClient): Promise<Result> {
  let sinceMs = clock.now();
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (clock.now() - sinceMs < SLICE_MS) continue;
    await clock.sleep(PAUSE_MS);
    if (client.hasGone()) throw new BalancerError('client-left', 'the client went before the play was over');
    sinceMs = clock.now();
  }
}

function tellForecast({ situations, hotKeys, ...rest }: Forecast, nameOf: (seat: SeatId) => string | undefined) {
  const told = ({ seats, ...one }: SituationForecast) => ({
    ...one,
    // Those that are only compared are many.
    ...((one.name === 'now' || one.name === 'then') && {
      seats: seats.map((seat) => ({ replica: nameOf(seat.seat) ?? null, ...seat })),
    }),
  });
  return { ...rest, situations: situations.filter(({ name }) => name !== 'sized').map(told), hotKeys };
}
