// When a replica counts as drained, whose requests are in several threads.

import t from 'tap';
import { Drains } from '../../lib/proxy/workers/drains.ts';
import { routeTo, tcp } from '../fixtures/proxy.ts';

function begun() {
  const told: number[] = [];
  const drains = new Drains<string>((incarnation) => told.push(incarnation));
  const route = routeTo(7, tcp(1));
  const plan = (version: number, lists: { routed?: boolean; drains?: boolean } = {}) => ({
    version,
    routes: lists.routed ? [route] : [],
    resting: [],
    draining: lists.drains ? [route.replica] : [],
  });
  return { told, drains, plan };
}

t.test('a replica is drained when it is in every thread', async (t) => {
  const { told, drains, plan } = begun();
  drains.onPlan(plan(1, { routed: true }), ['a', 'b']);
  drains.onPlan(plan(2, { drains: true }), ['a', 'b']);
  drains.onDrained(7, 'a', 2);
  t.same(told, []);
  drains.onDrained(7, 'b', 2);
  t.same(told, [7]);
  drains.onDrained(7, 'b', 2);
  t.same(told, [7], 'once, but for another plan that says that it drains');
  drains.onPlan(plan(3, { drains: true }), ['a', 'b']);
  drains.onDrained(7, 'b', 3);
  drains.onDrained(7, 'a', 3);
  t.same(told, [7, 7]);
});

t.test('what a thread said of an earlier plan than the last one that routed there says nothing', async (t) => {
  const { told, drains, plan } = begun();
  drains.onPlan(plan(1, { routed: true }), ['a']);
  drains.onPlan(plan(2, { drains: true }), ['a']);
  drains.onPlan(plan(3, { routed: true }), ['a']);
  drains.onDrained(7, 'a', 2);
  drains.onPlan(plan(4, { drains: true }), ['a']);
  t.same(told, []);
  drains.onDrained(7, 'a', 4);
  t.same(told, [7]);
});

t.test('a thread that has ended has nothing left anywhere, and one that begins is asked too', async (t) => {
  const { told, drains, plan } = begun();
  drains.onPlan(plan(1, { routed: true }), ['a', 'b']);
  drains.onEnded('a', plan(1, { routed: true }));
  drains.onPlan(plan(1, { routed: true }), ['c']);
  drains.onPlan(plan(2, { drains: true }), ['b', 'c']);
  drains.onDrained(7, 'b', 2);
  t.same(told, []);
  drains.onEnded('c', plan(2, { drains: true }));
  t.same(told, [7]);
});

t.test('where no thread lives, what a plan says to drain is drained', async (t) => {
  const { told, drains, plan } = begun();
  drains.onPlan(plan(1, { routed: true }), ['a']);
  drains.onEnded('a', plan(1, { routed: true }));
  t.same(told, [], 'a replica that gets requests is not');
  drains.onPlan(plan(2, { drains: true }), []);
  t.same(told, [7]);
});
