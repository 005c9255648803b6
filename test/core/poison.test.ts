// What is found out about requests that kill replicas: who is a suspect, who is convicted, and who is not.

import t from 'tap';
import { fingerprint } from '../../lib/core/request/fingerprint.ts';
import { PoisonJudge } from '../../lib/core/request/poison.ts';
import {
  BREAK_DOUBT_MS,
  DOUBT_KEPT_MS,
  MOST_NOTES,
  MOST_QUARANTINED,
  SUSPECT_KEPT_MS,
  SUSPECTS_BYTES,
  Suspects,
} from '../../lib/core/request/suspects.ts';

const QUARANTINE_MS = 5000;
const SETTLED_MS = 200;
const [POISON, OTHER, THIRD] = [11, 22, 33];
const [A, B, C] = [1, 2, 3];
const at = (seat: number) => ({ seat, incarnation: 100 + seat, hostname: `server${seat}` });

function note(
  suspects: Suspects,
  fingerprint: number,
  incarnation: number,
  atMs: number,
  wasAlone: boolean,
  label: string,
) {
  suspects.note({ fingerprint, incarnation, atMs, wasAlone, label });
}

function court() {
  const memory = new ArrayBuffer(SUSPECTS_BYTES);
  const suspects = new Suspects(memory, 0);
  const judge = new PoisonJudge(suspects);
  const advance = (nowMs: number, quarantineMs = QUARANTINE_MS) => judge.advance(nowMs, quarantineMs);
  const types = (nowMs: number) => advance(nowMs).map(({ type }) => type);
  return { memory, suspects, judge, advance, types };
}

t.test('the same question has the same fingerprint, however its body is cut', async (t) => {
  const question = { method: 'POST', target: '/a?b', key: 7, body: [Buffer.from('body')], mark: 0 };
  const number = fingerprint(question);
  t.ok(Number.isSafeInteger(number) && number > 0);
  t.equal(fingerprint({ ...question, body: [Buffer.from('bo'), Buffer.from(''), Buffer.from('dy')] }), number);
  for (const other of [
    { method: 'PUT' },
    { target: '/a?c' },
    { key: 8 },
    { key: undefined },
    { body: [Buffer.from('bodY')] },
    { body: [] },
    { mark: 1 },
    { method: 'POST/', target: 'a?b' },
  ]) {
    t.not(fingerprint({ ...question, ...other }), number, JSON.stringify(other));
  }
});

t.test('many questions have many fingerprints', async (t) => {
  const numbers = Array.from({ length: 20_000 }, (_, index) =>
    fingerprint({ method: 'GET', target: `/item/${index}`, key: undefined, body: [], mark: 0 }),
  );
  t.equal(new Set(numbers).size, numbers.length);
});

t.test('while nothing is noted all is quiet, and each request is free', async (t) => {
  const { suspects, judge, advance } = court();
  t.ok(suspects.isQuiet && judge.isIdle);
  t.equal(suspects.standing(POISON, 0), 'free');
  t.same(advance(0), []);
  t.same(judge.counts, { suspects: 0, replicasLost: 0 });
});

t.test('a request whose connection broke goes on alone for a moment, or until it is answered', async (t) => {
  const { suspects } = court();
  note(suspects, OTHER, A, 1000, false, 'GET /other');
  t.notOk(suspects.isQuiet);
  t.equal(suspects.standing(OTHER, 1000 + BREAK_DOUBT_MS - 1), 'alone');
  t.equal(suspects.standing(OTHER, 1000 + BREAK_DOUBT_MS), 'free');
  t.equal(suspects.standing(POISON, 1000), 'free', 'others are free');
  note(suspects, OTHER, A, 2000, false, 'GET /other');
  t.equal(suspects.notes().length, 1, 'the same loss is noted once');
  suspects.answered(POISON);
  t.equal(suspects.notes().length, 1);
  suspects.answered(OTHER);
  suspects.answered(OTHER);
  suspects.drop(0);
  t.ok(suspects.isQuiet);
});

t.test('a request that was at a replica that lives is free', async (t) => {
  const { suspects, judge } = court();
  note(suspects, OTHER, A, 0, false, 'GET /other');
  judge.lives(B);
  t.equal(suspects.standing(OTHER, 1), 'alone');
  judge.lives(A);
  t.equal(suspects.standing(OTHER, 1), 'free');
});

t.test('one that was alone at a second replica that ended is convicted, and refused for a while', async (t) => {
  const { suspects, judge, advance, types } = court();
  note(suspects, POISON, A, 0, false, 'GET /poison');
  note(suspects, OTHER, A, 0, false, 'GET /other');
  judge.ended(A, 1);
  judge.ended(A, 2);
  t.notOk(judge.isIdle);
  t.same(types(2), [], 'what comes late is waited for');
  t.equal(suspects.standing(POISON, 2 + BREAK_DOUBT_MS), 'alone');
  t.same(advance(1 + SETTLED_MS), [{ type: 'suspected', incarnation: A, requests: ['GET /poison', 'GET /other'] }]);
  t.same(types(2 + SETTLED_MS), [], 'it is told once');
  note(suspects, POISON, B, 1000, true, 'GET /poison');
  note(suspects, THIRD, B, 1000, false, 'GET /third');
  t.equal(suspects.standing(POISON, 1000), 'held');
  judge.ended(B, 1001);
  t.same(types(1002), []);
  t.equal(suspects.standing(POISON, 1002), 'held');
  t.same(judge.counts, { suspects: 3, replicasLost: 0 });
  const one = { fingerprint: POISON, request: 'GET /poison', untilMs: 1201 + QUARANTINE_MS, replicas: 2 };
  t.same(advance(1201), [{ type: 'quarantined', one }]);
  t.same(judge.quarantined, [one]);
  t.same(judge.counts, { suspects: 0, replicasLost: 2 }, 'and who was there beside it is cleared');
  t.equal(suspects.standing(POISON, 1202), one.untilMs);
  t.equal(suspects.standing(OTHER, 1202), 'free');
  t.notOk(suspects.isQuiet);
  t.same(types(one.untilMs - 1), []);
  t.equal(suspects.standing(POISON, one.untilMs), 'free');
  t.same(advance(one.untilMs), [{ type: 'quarantine-ended', one }]);
  t.ok(suspects.isQuiet && judge.isIdle);
});

t.test('who is noted late at a death that is explained is no suspect', async (t) => {
  const { suspects, judge, types } = court();
  note(suspects, POISON, A, 0, false, '');
  judge.ended(A, 0);
  types(0);
  note(suspects, POISON, B, 1, true, '');
  judge.ended(B, 1);
  t.same(types(SETTLED_MS + 1), ['quarantined']);
  note(suspects, OTHER, B, 300, false, '');
  types(300);
  t.equal(suspects.standing(OTHER, 300), 'free');
});

t.test('two deaths convict nobody who was not alone at the second: a third may', async (t) => {
  const { suspects, judge, types } = court();
  for (const incarnation of [A, B]) {
    note(suspects, POISON, incarnation, 0, false, '');
    note(suspects, OTHER, incarnation, 0, false, '');
    judge.ended(incarnation, 0);
  }
  t.same(types(SETTLED_MS), ['suspected', 'suspected']);
  t.equal(suspects.standing(OTHER, SETTLED_MS), 'strictly-alone');
  suspects.answered(OTHER);
  note(suspects, POISON, C, 300, true, '');
  judge.ended(C, 300);
  t.same(types(300 + SETTLED_MS), ['quarantined']);
  t.equal(judge.quarantined[0]?.replicas, 3);
  t.equal(suspects.standing(OTHER, 301 + SETTLED_MS), 'free');
});

t.test(
  'if another was at both deaths as well, it is waited for: then it is known, or nobody is convicted',
  async (t) => {
    for (const isAnswered of [true, false]) {
      const { suspects, judge, types } = court();
      note(suspects, POISON, A, 0, false, '');
      note(suspects, OTHER, A, 0, false, '');
      judge.ended(A, 0);
      types(SETTLED_MS);
      note(suspects, OTHER, B, 300, false, '');
      note(suspects, POISON, B, 300, true, '');
      judge.ended(B, 300);
      types(300 + SETTLED_MS);
      t.equal(suspects.standing(POISON, 1000), 'held');
      if (isAnswered) suspects.answered(OTHER);
      t.same(types(1000), isAnswered ? ['quarantined'] : []);
      t.same(types(4000), []);
      t.equal(suspects.standing(POISON, 4000), isAnswered ? 1000 + QUARANTINE_MS : 'strictly-alone');
    }
  },
);

t.test('the first death of a request that was alone convicts it of nothing', async (t) => {
  const { suspects, judge, types } = court();
  note(suspects, OTHER, A, 0, false, '');
  judge.lives(A);
  note(suspects, OTHER, B, 1, true, '');
  judge.ended(B, 1);
  t.same(types(SETTLED_MS + 1), ['suspected']);
  t.equal(suspects.standing(OTHER, SETTLED_MS + 1), 'alone');
});

t.test('what became of the replica before is waited for', async (t) => {
  const { suspects, judge, types } = court();
  note(suspects, POISON, A, 0, false, '');
  note(suspects, POISON, B, 1, false, '');
  note(suspects, POISON, B, 1, true, '');
  judge.ended(B, 1);
  t.same(types(4000), ['suspected']);
  t.equal(suspects.standing(POISON, 4000), 'held');
  judge.ended(A, 4000);
  t.same(types(4000), ['quarantined']);
});

t.test('what is noted is forgotten: a doubt soon, a suspect later, all if none is to be refused', async (t) => {
  const { suspects, judge, advance, types } = court();
  note(suspects, OTHER, A, 0, false, '');
  types(DOUBT_KEPT_MS - 1);
  t.notOk(suspects.isQuiet);
  types(DOUBT_KEPT_MS);
  t.ok(suspects.isQuiet);
  note(suspects, OTHER, A, 0, false, '');
  judge.ended(A, 0);
  types(0);
  types(SUSPECT_KEPT_MS - 1);
  t.notOk(suspects.isQuiet);
  types(SUSPECT_KEPT_MS);
  t.ok(suspects.isQuiet);
  note(suspects, POISON, B, 0, false, '');
  suspects.quarantine(THIRD, 1e9);
  advance(1, 0);
  t.equal(suspects.notes().length, 0);
});

t.test('a quarantine is lifted when none is to be', async (t) => {
  const { suspects, judge, advance, types } = court();
  note(suspects, POISON, A, 0, false, '');
  judge.ended(A, 0);
  types(0);
  note(suspects, POISON, B, 0, true, '');
  judge.ended(B, 0);
  types(SETTLED_MS);
  t.same(
    advance(SETTLED_MS + 1, 0).map(({ type }) => type),
    ['quarantine-ended'],
  );
  t.equal(suspects.standing(POISON, SETTLED_MS + 1), 'free');
});

t.test('threads see what others note, and a claim of one is refused to the others until it is released', async (t) => {
  const { suspects, memory } = court();
  const other = new Suspects(memory, 1);
  note(suspects, POISON, A, 0, false, 'GET /poison');
  t.match(other.notes(), [{ fingerprint: POISON, incarnation: A, label: 'GET /poison', verdict: 'unknown' }]);
  t.ok(suspects.claim(POISON, 0) && suspects.claimSeat(at(4), 0));
  t.notOk(other.claim(POISON, 0) || other.claimSeat(at(4), 0));
  t.ok(other.claim(OTHER, 0) && other.claimSeat(at(5), 0));
  suspects.release(POISON);
  suspects.releaseSeat(4);
  t.ok(other.claim(POISON, 0) && other.claimSeat(at(4), 0));
  suspects.giveBackOf(0);
  t.notOk(suspects.claim(POISON, 0), 'what a thread that lives has claimed stays');
  suspects.giveBackOf(1);
  t.ok(suspects.claim(POISON, 0) && suspects.claimSeat(at(5), 0), 'and that of one that has ended does not');
});

t.test('who was lost alone is not sent by another thread that had asked before that', async (t) => {
  const { suspects, memory, judge, types } = court();
  const other = new Suspects(memory, 1);
  note(suspects, POISON, A, 0, false, '');
  t.equal(other.standing(POISON, 1), 'alone');
  t.ok(suspects.claim(POISON, 1));
  note(suspects, POISON, B, 1, true, '');
  suspects.release(POISON);
  t.notOk(other.claim(POISON, 1), 'it is held by now');
  judge.ended(A, 1);
  judge.ended(B, 1);
  types(1 + SETTLED_MS);
  t.notOk(other.claim(POISON, 1 + SETTLED_MS), 'and refused by then');
  t.ok(other.claim(POISON, 2 + SETTLED_MS + QUARANTINE_MS), 'nobody keeps the claim');
});

t.test('a suspect goes to no replica where another was lost alone that may have ended', async (t) => {
  const { suspects, judge, types } = court();
  note(suspects, POISON, at(4).incarnation, 0, true, '');
  note(suspects, OTHER, at(5).incarnation, 0, true, '');
  note(suspects, THIRD, at(6).incarnation, 0, false, '');
  t.notOk(suspects.claimSeat(at(4), 1) || suspects.claimSeat(at(5), 1));
  t.ok(suspects.claimSeat(at(6), 1), 'its kept connection may have been closed, which says nothing');
  t.ok(suspects.claimSeat({ ...at(4), incarnation: 999 }, 1), 'its successor is another one');
  suspects.releaseSeat(4);
  judge.lives(at(5).incarnation);
  t.ok(suspects.claimSeat(at(5), 1));
  t.ok(suspects.claimSeat(at(4), BREAK_DOUBT_MS), 'it seems to live');
  suspects.releaseSeat(4);
  judge.ended(at(4).incarnation, 1);
  types(1);
  t.notOk(suspects.claimSeat(at(4), BREAK_DOUBT_MS));
});

t.test('two threads may note the same: that is one request', async (t) => {
  class Twice extends Suspects {
    override notes() {
      return super.notes().flatMap((one) => [one, one]);
    }
  }
  const suspects = new Twice(new ArrayBuffer(SUSPECTS_BYTES), 0);
  const judge = new PoisonJudge(suspects);
  note(suspects, POISON, A, 0, false, '');
  note(suspects, POISON, B, 0, true, '');
  judge.ended(A, 0);
  judge.ended(B, 0);
  t.match(judge.advance(SETTLED_MS, QUARANTINE_MS), [{ type: 'quarantined', one: { fingerprint: POISON } }]);
});

t.test('everything is bounded', async (t) => {
  const { suspects, judge, types } = court();
  for (let number = 1; number <= MOST_NOTES + 5; number++) note(suspects, number, A, 0, false, 'x'.repeat(500));
  t.equal(suspects.notes().length, MOST_NOTES);
  t.ok((suspects.notes()[0]?.label.length ?? 500) < 200);
  for (let number = 1; number <= MOST_NOTES; number++) suspects.answered(number);
  t.ok(suspects.isQuiet);
  for (let number = 1; number <= MOST_QUARANTINED; number++) t.ok(suspects.quarantine(1e6 + number, 1e9));
  note(suspects, POISON, A, 0, false, '');
  judge.ended(A, 0);
  types(0);
  note(suspects, POISON, B, 0, true, '');
  judge.ended(B, 0);
  t.same(types(SETTLED_MS), ['suspected', 'suspected'], 'there is no room for one more');
  t.equal(suspects.standing(POISON, SETTLED_MS), 'held');
  for (let incarnation = 100; incarnation < 500; incarnation++) judge.ended(incarnation, 300);
  suspects.lift(1e6 + 1);
  t.same(types(300 + SETTLED_MS), ['quarantined'], 'it is judged when there is, though the death is long ago');
});
