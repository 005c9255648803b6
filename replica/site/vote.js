// The voting page: sends votes, shows the counts as they change, and says who answered. A vote that failed is sent
// again under the same key, so that the store counts it once, whatever became of the first try.

const OPTIONS = ['docker', 'helm', 'kubernetes', 'prometheus'];
const WAITS_MS = [150, 300, 600, 1200, 2500];
const ANSWER_LIMIT_MS = 6000;
const POLL_MS = 2000;
const LONGEST_WAIT_MS = 15_000;

const byId = (id) => document.getElementById(id);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const format = (number) => number.toLocaleString('en');

// Keys of votes that were given up before an answer settled them. The next clicks on the same option use them again.
const unsettled = new Map(OPTIONS.map((option) => [option, []]));
const tally = new Map();
let counted = Object.fromEntries(OPTIONS.map((option) => [option, 0]));

for (const button of document.querySelectorAll('button[value]')) {
  button.addEventListener('click', () => vote(button));
}

async function vote(button) {
  const option = button.value;
  const key = unsettled.get(option).shift() ?? newKey();
  button.dataset.pending = Number(button.dataset.pending ?? 0) + 1;
  const outcome = await cast(option, key);
  button.dataset.pending = Number(button.dataset.pending) - 1;
  if (outcome.votes !== undefined) {
    raiseCounts(outcome.votes);
    showVoter(outcome.replica);
    say(`Your vote for ${option} was counted by ${outcome.replica}.`, 'good');
    return;
  }
  if (!outcome.final) unsettled.get(option).push(key);
  const verdict = outcome.unheard ? 'may not have been counted' : 'was not counted';
  const advice = outcome.final ? '' : ` Press ${option} to try again: it will not count twice.`;
  say(`Your vote for ${option} ${verdict}: ${outcome.reason}.${advice}`, 'bad');
}

/**
 * Sends a vote until an answer settles it. The outcome has `votes` if it was counted, `final` if it never will be, and
 * `unheard` if it may have been.
 */
async function cast(option, key) {
  let unheard = false;
  for (let attempt = 0; ; attempt++) {
    const outcome = await send(option, key);
    unheard ||= outcome.unheard === true;
    if (outcome.votes !== undefined || outcome.final || attempt === WAITS_MS.length) return { ...outcome, unheard };
    say(`${outcome.reason}. Trying again …`, 'waiting');
    await sleep(WAITS_MS[attempt]);
  }
}

async function send(option, key) {
  try {
    const response = await fetch('/api/vote', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key },
      body: JSON.stringify({ option }),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    const replica = response.headers.get('X-Served-By') ?? 'a replica';
    const body = await response.json();
    if (response.ok) return { votes: body.votes, replica };
    // 502 and 504 mean that the replica had the vote, but its answer was lost. A replica says the same about its store
    // in words.
    const unheard = response.status === 502 || response.status === 504 || / may have been counted: /.test(body.message);
    return { final: response.status < 500, unheard, reason: withoutLabel(body.message) };
  } catch {
    return { final: false, unheard: true, reason: 'no answer came' };
  }
}

// Not crypto.randomUUID: browsers withhold it from pages that came over plain HTTP from another machine.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function withoutLabel(message) {
  return String(message).replace(/^<Error> /, '');
}

function say(text, mood) {
  byId('status').textContent = text;
  byId('status').dataset.mood = mood;
}

// The answer to a vote may come after the stream has told of more votes, so it may only raise what is shown.
function raiseCounts(votes) {
  showCounts(Object.fromEntries(OPTIONS.map((option) => [option, Math.max(counted[option], votes[option])])));
}

function showCounts(counts) {
  counted = counts;
  const total = OPTIONS.reduce((sum, option) => sum + counts[option], 0);
  const most = Math.max(1, ...OPTIONS.map((option) => counts[option]));
  for (const option of OPTIONS) {
    byId(`${option}-votes`).textContent = format(counts[option]);
    byId(`${option}-share`).textContent = total === 0 ? '' : `${Math.round((100 * counts[option]) / total)} %`;
    byId(`${option}-bar`).style.setProperty('--part', counts[option] / most);
  }
  byId('total').textContent = total === 1 ? '1 vote' : `${format(total)} votes`;
}

function showVoter(replica) {
  byId('voted-by').textContent = replica;
  tally.set(replica, (tally.get(replica) ?? 0) + 1);
  const inOrder = [...tally].sort(([one], [other]) => one.localeCompare(other, 'en', { numeric: true }));
  const rows = inOrder.map(([name, count]) => {
    const row = document.createElement('li');
    const number = document.createElement('b');
    number.textContent = format(count);
    row.append(`${name} `, number);
    return row;
  });
  byId('tally').replaceChildren(...rows);
  byId('tally-box').hidden = false;
}

function showLive(state, text, replica) {
  byId('live').dataset.state = state;
  byId('live').textContent = text;
  if (replica !== undefined) byId('live-from').textContent = replica;
}

// Live counts. If the replica that serves the stream goes, the browser connects again by itself, through the ring. But
// it takes an answer that is no stream for final, and then this page connects again. Meanwhile it polls the counts.
let source;
let failures = 0;
let poller;
let comeBack;

function listen() {
  clearTimeout(comeBack);
  source?.close();
  source = new EventSource('/api/votes/stream');
  source.addEventListener('replica', (event) => {
    failures = 0;
    poller = undefined;
    showLive('live', 'live', event.data);
  });
  source.addEventListener('trouble', (event) => showLive('trouble', JSON.parse(event.data)));
  source.addEventListener('message', (event) => {
    showLive('live', 'live');
    showCounts(JSON.parse(event.data));
  });
  source.addEventListener('error', () => {
    failures += 1;
    const final = source.readyState === EventSource.CLOSED;
    if (poller === undefined) {
      showLive('waiting', 'connecting');
      if (final || failures > 1) poll();
    }
    if (final) comeBack = setTimeout(listen, Math.min(500 * 2 ** failures, LONGEST_WAIT_MS));
  });
}

async function poll() {
  const mine = Symbol('poller');
  poller = mine;
  while (poller === mine) {
    try {
      const response = await fetch('/api/votes', { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
      const body = await response.json();
      if (poller !== mine) return;
      if (response.ok) {
        showCounts(body);
        showLive('polling', `every ${POLL_MS / 1000} s`, response.headers.get('X-Served-By') ?? undefined);
      } else showLive('trouble', withoutLabel(body.message));
    } catch {
      if (poller === mine) showLive('trouble', 'no answer');
    }
    await sleep(POLL_MS);
  }
}

// A browser has six connections to a host for all its tabs, so a hidden tab gives its own back.
function onVisibility() {
  if (document.visibilityState === 'visible') {
    listen();
    return;
  }
  clearTimeout(comeBack);
  source?.close();
  poller = undefined;
}

document.addEventListener('visibilitychange', onVisibility);
onVisibility();
