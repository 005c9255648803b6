import t from 'tap';
import { random, runSeed } from '../fixtures/random.ts';
import { World } from './world.ts';

const HISTORIES = Number(process.env.HISTORIES ?? 2000);

t.test(`the fleet is whole, and nothing is left over, after each of ${HISTORIES} random histories`, async (t) => {
  const first = runSeed();
  for (let seed = first; seed < first + HISTORIES; seed++) {
    const world = new World(random(seed));
    try {
      world.play();
    } catch (error) {
      t.fail(`SEED=${seed}: ${(error as Error).message}`, { history: world.history.slice(-30) });
      return;
    }
  }
  t.pass(`seeds ${first} to ${first + HISTORIES - 1}`);
});
