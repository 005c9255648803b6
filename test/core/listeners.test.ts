import t from 'tap';
import { Listeners } from '../../lib/core/listeners.ts';

t.test('whoever watches is told until the watch ends', async (t) => {
  const { watch, tell } = new Listeners<string>();
  const told: string[] = [];
  const endFirst = watch((news) => told.push(`first ${news}`));
  watch((news) => told.push(`second ${news}`));
  tell('a');
  endFirst();
  tell('b');
  t.same(told, ['first a', 'second a', 'second b']);
});
