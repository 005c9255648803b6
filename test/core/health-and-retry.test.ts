import t from 'tap';
import { afterProbe, afterSuspicion, HEALTHY, isConvicted } from '../../lib/core/fleet/health.ts';
import { mayRetry } from '../../lib/core/request/retry.ts';

t.test('k failures in a row convict, one success clears', async (t) => {
  const one = afterProbe(HEALTHY, false);
  const two = afterProbe(one, false);
  t.notOk(isConvicted(two, 3));
  t.ok(isConvicted(afterProbe(two, false), 3));
  t.equal(afterProbe(two, true), HEALTHY);
  t.notOk(isConvicted(afterProbe(afterProbe(afterProbe(two, true), false), false), 3));
});

t.test('a failed request makes suspect, but does not count towards conviction', async (t) => {
  const suspected = afterSuspicion(HEALTHY);
  t.same(suspected, { failuresInARow: 0, suspected: true });
  t.equal(afterSuspicion(suspected), suspected, 'a second one changes nothing');
  t.equal(afterProbe(suspected, true), HEALTHY);
  t.equal(afterProbe(HEALTHY, true), HEALTHY);
});

const lost = { method: 'GET', unsent: false, bodyInHand: true, replyBegun: false, replicasTried: 1 };

t.test('an idempotent request may be repeated, another one only if nothing of it was sent', async (t) => {
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])
    t.ok(mayRetry({ ...lost, method }, 3), method);
  for (const method of ['POST', 'PATCH', 'get', 'LOCK']) {
    t.notOk(mayRetry({ ...lost, method }, 3), method);
    t.ok(mayRetry({ ...lost, method, unsent: true }, 3), `unsent ${method}`);
  }
});

t.test('none is repeated once its reply has begun, its body is gone, or it was tried often enough', async (t) => {
  t.notOk(mayRetry({ ...lost, replyBegun: true }, 3));
  t.notOk(mayRetry({ ...lost, bodyInHand: false }, 3));
  t.notOk(mayRetry({ ...lost, unsent: true, bodyInHand: false }, 3));
  t.ok(mayRetry({ ...lost, replicasTried: 2 }, 3));
  t.notOk(mayRetry({ ...lost, replicasTried: 3 }, 3));
});
