import t from 'tap';
import { RetryBudget } from '../../lib/core/request/retry-budget.ts';

const withdrawals = (budget: RetryBudget, most = 10_000) => {
  let count = 0;
  while (count < most && budget.withdraw()) count += 1;
  return count;
};

t.test('a fifth of the requests may be retried, and a few more', async (t) => {
  const budget = new RetryBudget({ retryBudget: 0.2, leastRetriesPerSecond: 10 });
  budget.advance(0);
  for (let count = 0; count < 1000; count++) budget.deposit();
  // 200 of 1000, and 10 a second for the ten seconds that are remembered at most.
  t.equal(withdrawals(budget), 300);
  for (let count = 0; count < 5; count++) budget.deposit();
  t.equal(withdrawals(budget), 1, 'five requests more are one retry more');
});

t.test('requests and retries are forgotten after two windows', async (t) => {
  const budget = new RetryBudget({ retryBudget: 0.5, leastRetriesPerSecond: 0 });
  budget.advance(0);
  for (let count = 0; count < 10; count++) budget.deposit();
  t.equal(withdrawals(budget, 3), 3);
  budget.advance(4999);
  budget.advance(5000);
  t.equal(withdrawals(budget), 2, 'both are remembered for one window more');
  budget.advance(10_000);
  t.equal(withdrawals(budget), 0);
  for (let count = 0; count < 6; count++) budget.deposit();
  t.equal(withdrawals(budget), 1, 'three, less the two of the window before');
  budget.advance(60_000);
  t.equal(withdrawals(budget), 0, 'after a long quiet time nothing is left');
});

t.test('a budget of nothing gives nothing', async (t) => {
  const budget = new RetryBudget({ retryBudget: 0, leastRetriesPerSecond: 0 });
  budget.deposit();
  t.notOk(budget.withdraw());
});
