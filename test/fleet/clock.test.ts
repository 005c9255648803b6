import t from 'tap';
import { realClock } from '../../lib/fleet/clock.ts';

// Node would write a warning to standard error, between the lines of the log, for each.
t.test('a time that has passed already is slept for without a warning', async (t) => {
  const warnings: string[] = [];
  const hear = (warning: Error) => warnings.push(warning.name);
  process.on('warning', hear);
  t.teardown(() => process.off('warning', hear));
  await realClock.sleep(-5);
  // A warning is told in the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  t.same(warnings, []);
});
