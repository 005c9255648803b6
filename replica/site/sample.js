// The sample site: sends requests through the ring, a few at a time, and shows which replica answered how many.

import { weights } from './balancer.js';

const CONCURRENCY = 12;
const ANSWER_LIMIT_MS = 10_000;

const byId = (id) => document.getElementById(id);
const format = (number) => number.toLocaleString('en');

let answers = new Map();
/** How many parts of the requests are due to each replica; one if nobody says. */
let weightOf = new Map();
let failed = 0;
let run;
let frame;

for (const button of document.querySelectorAll('.send')) {
  button.addEventListener('click', () => start(Number(button.value)));
}
byId('stop').addEventListener('click', () => run?.abort());
byId('clear').addEventListener('click', () => {
  run?.abort();
  run = undefined;
  setRunning(false);
  answers = new Map();
  failed = 0;
  byId('rate').textContent = '–';
  byId('progress').value = 0;
  byId('status').textContent = 'Nothing sent yet.';
  draw();
});

async function start(count) {
  if (byId('stop').ariaDisabled === 'false') return;
  const mine = new AbortController();
  run = mine;
  const { signal } = mine;
  setRunning(true);
  byId('status').textContent = `Sending ${format(count)} …`;
  weightOf = await weights();
  const begunMs = performance.now();
  let sent = 0;
  let done = 0;
  let reason = '';
  const work = async () => {
    while (sent < count && !signal.aborted) {
      sent += 1;
      const problem = await request(signal);
      if (signal.aborted) return;
      if (problem !== undefined) reason = problem;
      done += 1;
      byId('progress').value = done / count;
      frame ??= requestAnimationFrame(draw);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, count) }, work));
  // The run was cleared away, or the next one has begun.
  if (run !== mine) return;
  const seconds = (performance.now() - begunMs) / 1000;
  if (done > 0) byId('rate').textContent = format(Math.round(done / seconds));
  setRunning(false);
  draw();
  byId('status').textContent = summary(signal.aborted, done, count, reason);
}

/** Sends one request. Resolves with what went wrong, or `undefined`. */
async function request(signal) {
  let problem = 'no answer came';
  // Tries twice: a browser drops its open requests when a network interface comes or goes, as happens with containers.
  for (let attempt = 0; attempt < 2 && !signal.aborted; attempt++) {
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]);
      const response = await fetch('/home', { cache: 'no-store', signal: limit });
      const { message } = await response.json();
      if (signal.aborted) return undefined;
      const name = response.ok ? /^Hello from Server: (.*)$/.exec(message)?.[1] : undefined;
      if (name !== undefined) {
        answers.set(name, (answers.get(name) ?? 0) + 1);
        return undefined;
      }
      problem = String(message).replace(/^<Error> /, '');
      break;
    } catch {
      // Tries again, or reports the problem.
    }
  }
  if (signal.aborted) return undefined;
  failed += 1;
  return problem;
}

function summary(stopped, done, count, reason) {
  const { total, imbalance } = measure();
  const begun = stopped ? `Stopped after ${format(done)} of ${format(count)}.` : `Done: ${format(count)} sent.`;
  const spread =
    answers.size < 2
      ? ''
      : ` ${answers.size} replicas answered ${format(total)} in all; the busiest had ${imbalance} times the mean.`;
  const trouble = reason === '' ? '' : ` The last failure: ${reason}.`;
  return begun + spread + trouble;
}

function measure() {
  const counts = [...answers.values()];
  const total = counts.reduce((sum, count) => sum + count, 0);
  const most = Math.max(0, ...counts);
  const parts = [...answers.keys()].reduce((sum, name) => sum + partsOf(name), 0);
  // What one part of the weight should have.
  const mean = parts === 0 ? 0 : total / parts;
  const ratios = [...answers].map(([name, count]) => count / (mean * partsOf(name)));
  return { total, most, mean, imbalance: mean === 0 ? '–' : Math.max(...ratios).toFixed(2) };
}

const partsOf = (name) => weightOf.get(name) ?? 1;

// Not `disabled`, which would take the focus from somebody who has just pressed the button with a key.
function setRunning(running) {
  byId('stop').ariaDisabled = String(!running);
  for (const button of document.querySelectorAll('.send')) button.ariaDisabled = String(running);
}

function draw() {
  cancelAnimationFrame(frame);
  frame = undefined;
  const { total, most, mean, imbalance } = measure();
  // Leaves a tenth of the room free behind the longest bar.
  const room = Math.max(1, most * 1.1, ...[...answers.keys()].map((name) => mean * partsOf(name)));
  const names = [...answers.keys()].sort((one, other) => one.localeCompare(other, 'en', { numeric: true }));
  const list = byId('replicas');
  // Rows stay where they are, so that their bars grow rather than jump.
  for (const [index, name] of names.entries()) {
    if (list.children[index]?.dataset.name !== name) list.insertBefore(newRow(name), list.children[index] ?? null);
    const row = list.children[index];
    const weight = partsOf(name);
    row.querySelector('.name').textContent = weight === 1 ? name : `${name} ×${weight}`;
    row.querySelector('.count').textContent = format(answers.get(name));
    row.querySelector('.bar').style.setProperty('--part', answers.get(name) / room);
    row.style.setProperty('--mean', (mean * partsOf(name)) / room);
  }
  while (list.children.length > names.length) list.lastElementChild.remove();
  byId('spread').hidden = names.length === 0;
  byId('answered').textContent = format(total);
  byId('failed').textContent = format(failed);
  byId('seen').textContent = names.length;
  byId('imbalance').textContent = imbalance;
}

function newRow(name) {
  const row = document.createElement('li');
  row.dataset.name = name;
  for (const part of ['name', 'track', 'count']) {
    const element = document.createElement('span');
    element.className = part;
    row.append(element);
  }
  const bar = document.createElement('span');
  bar.className = 'bar';
  row.querySelector('.track').append(bar);
  return row;
}
