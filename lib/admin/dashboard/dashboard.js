// The page as a whole: listens to the balancer's event stream, keeps what it is told, and hands it to the views. How
// something is shown is up to each view.

import { createAutoscaleView } from './autoscale.js';
import { createChanges } from './changes.js';
import { createChart, linearAxis, logarithmicAxis } from './chart.js';
import { byId, setText } from './document.js';
import { createEventLog } from './event-log.js';
import { createExplain } from './explain.js';
import { formatCount, formatMs, formatSpan } from './format.js';
import { createLoad } from './load.js';
import { spreadOf } from './model.js';
import { createOrder } from './order.js';
import { createPresentation } from './present.js';
import { createReplicaTable } from './replicas.js';
import { createRingView } from './ring.js';
import { createSparks } from './sparks.js';
import { createSpread } from './spread.js';
import { createAsker } from './token.js';

/** @typedef {import('./model.js').Snapshot} Snapshot */

// A browser does not retry an event stream that was refused, so the page does it after this time.
const AGAIN_MS = 3000;
const MOST_ROWS = 300;
const NOTHING_STARTED = 'Nothing is started here: these services run by themselves, and are watched and sent requests.';

const ringView = createRingView();
const sparks = createSparks();
const spreadView = createSpread();
const autoscaleView = createAutoscaleView();
const eventLog = createEventLog();
const rateChart = createChart(
  'rate',
  [
    { label: 'requests', column: 1, class: 'line-a' },
    { label: 'errors', column: 3, class: 'line-bad' },
  ],
  (value) => (value === null ? '–' : formatCount(value)),
  linearAxis,
);
const latencyChart = createChart(
  'latency',
  [
    { label: 'p50', column: 5, class: 'line-a' },
    { label: 'p90', column: 6, class: 'line-b' },
    { label: 'p99', column: 7, class: 'line-c' },
  ],
  formatMs,
  logarithmicAxis,
);
const ask = createAsker(() => model?.alone === true);
const explain = createExplain({
  model: () => model,
  draw: (walk) => {
    if (model !== undefined) ringView.showWalk(walk, model.fleet, model.ring);
  },
  near: sparks.near,
});
const load = createLoad({ ask });
const order = createOrder(() => {
  if (model !== undefined) showTable(model);
});
const changes = createChanges({
  preview: (points) => {
    if (model === undefined) return;
    const after = {
      ...model.ring,
      points: points.map(({ slot, seat }) => /** @type {[number, number]} */ ([slot, seat])),
    };
    ringView.showGhost(model.ring, after);
  },
  clear: () => ringView.hideGhost(),
  hostnames: () => model?.fleet.seats.map(({ replica }) => replica) ?? [],
  seats: () => model?.fleet.seats ?? [],
  maxOverMean: () => {
    const { total = 0, maxOverMean } = model === undefined ? {} : spreadOf(model.fleet, model.spread);
    return total === 0 ? undefined : maxOverMean;
  },
  ask,
});
const table = createReplicaTable(changes, ringView);

/** @type {Snapshot | undefined} */
let model;
/** The balancer's time of day minus that of this machine, in ms. */
let offsetMs = 0;
let landedInSecond = 0;
let toldInSecond = 0;
/** @type {EventSource | undefined} */
let source;
let comeBack = 0;
/** The balancer does not answer, so nobody knows how anything is. */
let isLost = false;

createPresentation(sparks);

byId('add', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const field = byId('add-hostname', HTMLInputElement);
  const hostname = field.value.trim();
  field.value = '';
  void changes.add(hostname, field);
});
document.addEventListener('visibilitychange', onVisibility);
onVisibility();

// A browser has six connections to a host for all its tabs, so a hidden tab gives its own back.
function onVisibility() {
  clearTimeout(comeBack);
  source?.close();
  const visible = document.visibilityState === 'visible';
  showConnection('connecting', visible ? 'connecting' : 'paused');
  if (visible) connect();
}

function connect() {
  const opened = new EventSource('/balancer/events');
  source = opened;
  /** @param {string} name @param {(data: any) => void} hear */
  const on = (name, hear) => opened.addEventListener(name, (event) => hear(JSON.parse(event.data)));
  on('snapshot', (snapshot) => {
    model = snapshot;
    offsetMs = snapshot.nowMs - Date.now();
    showConnection('live', 'live');
    showAll(snapshot);
    void changes.fleetChanged(true);
  });
  on('fleet', (news) => {
    if (model === undefined) return;
    const ringChanged = news.ring !== undefined;
    const { hash, ring = model.ring, spread } = news;
    model = { ...model, fleet: news, hash, ring, spread };
    eventLog.add(news.log);
    explain.fleetChanged();
    if (ringChanged) {
      ringView.showRing(model.ring);
      showAbout(model);
    }
    showFleet(model);
    void changes.fleetChanged(ringChanged);
  });
  on('traffic', (news) => {
    if (model === undefined) return;
    const { row, traffic, spread, quarantined, parted, load, autoscale } = news;
    const rows = [...model.rows, row].slice(-MOST_ROWS);
    model = { ...model, rows, traffic, spread, quarantined, parted, load, autoscale };
    showTraffic(model);
  });
  on('sparks', ({ landed, told }) => {
    landedInSecond += landed;
    toldInSecond += told.length / 3;
    if (model !== undefined) sparks.land(told, model.ring, model.fleet);
  });
  opened.addEventListener('error', () => {
    showConnection('lost', 'no answer, reconnecting');
    if (opened.readyState === EventSource.CLOSED) comeBack = setTimeout(connect, AGAIN_MS);
  });
}

/** @param {Snapshot} now */
function showAbout(now) {
  setText('about', `hash ${now.hash} · ${now.ring.slots} slots · ${now.virtualNodes} virtual nodes each`);
}

/** @param {Snapshot} now */
function showAll(now) {
  showAbout(now);
  // The pages of the sample service are at the port of clients; other services have others.
  const hasPages = now.isSample && !now.alone;
  for (const id of ['page-vote', 'page-sample']) byId(id, HTMLElement).hidden = !hasPages;
  load.allow(now.looksOnlyBecause === undefined);
  const fixed = byId('fixed', HTMLElement);
  const because = now.looksOnlyBecause ?? (now.startsReplicas ? undefined : NOTHING_STARTED);
  fixed.hidden = because === undefined;
  fixed.textContent = because ?? '';
  byId('add', HTMLFormElement).hidden = because !== undefined;
  eventLog.replace(now.log);
  ringView.showRing(now.ring);
  showFleet(now);
  showTraffic(now);
}

/** @param {Snapshot} now */
function showFleet(now) {
  ringView.showFleet(now.fleet, now.ring);
  ringView.showRates(now.traffic);
  showTable(now);
  spreadView.show(now.fleet, now.ring, now.spread);
  const serving = now.fleet.seats.filter(({ state }) => state === 'serving').length;
  setText('fact-serving', `${serving} / ${now.fleet.seats.length}`);
  byId('open', HTMLElement).hidden = !now.fleet.failsOpen;
}

/** @param {Snapshot} now */
function showTraffic(now) {
  ringView.showRates(now.traffic);
  load.show(now.load);
  showTable(now);
  spreadView.show(now.fleet, now.ring, now.spread);
  rateChart.show(now.rows);
  latencyChart.show(now.rows);
  showQuarantined(now);
  showParted(now);
  autoscaleView.show(now.autoscale, Date.now() + offsetMs);
  const [, requests, , failed, inFlight, p50, , p99] = now.rows.at(-1) ?? [];
  setText('fact-rate', formatCount(requests ?? 0));
  setText('fact-failed', formatCount(failed ?? 0));
  setText('fact-in-flight', formatCount(inFlight ?? 0));
  setText('fact-p50', formatMs(p50));
  setText('fact-p99', formatMs(p99));
  byId('fact-failed', HTMLElement).classList.toggle('bad', (failed ?? 0) > 0);
  const ratio = landedInSecond / toldInSecond;
  setText('spark-ratio', ratio > 1.5 ? `one spark for ${formatCount(ratio)} requests` : 'a spark for each request');
  landedInSecond = 0;
  toldInSecond = 0;
}

/** @param {Snapshot} now */
function showQuarantined({ quarantined }) {
  byId('poison', HTMLElement).hidden = quarantined.length === 0;
  const each = quarantined.map(
    ({ request, replicas, leftMs }) => `${request} (${replicas} replicas, refused for ${formatSpan(leftMs)} more)`,
  );
  setText('poison', `Refused, since each replica that had it ended: ${each.join('; ')}`);
}

/** @param {Snapshot} now */
function showParted({ parted }) {
  byId('parted', HTMLElement).hidden = parted.length === 0;
  const each = parted.map(({ url, differs }) => `${url} (${differs.join('; ')})`);
  setText('parted', `A key may lead elsewhere by another balancer: ${each.join(', ')}`);
}

/** @param {Snapshot} now */
function showTable(now) {
  const terms = { changeable: now.looksOnlyBecause === undefined, isKnown: !isLost };
  table.show(order.of(now.fleet, now.traffic), now.fleet.leaving, now.traffic, Date.now() + offsetMs, terms);
}

/**
 * @param {string} state
 * @param {string} text
 */
function showConnection(state, text) {
  byId('connection', HTMLElement).dataset.state = state;
  setText('connection', text);
  // While it connects for the first time, there is nothing on the page that could be wrong.
  const wasLost = isLost;
  isLost = state === 'lost' || (isLost && state === 'connecting');
  document.body.classList.toggle('lost', isLost);
  if (!isLost || wasLost || model === undefined) return;
  showTable(model);
  for (const id of ['rate', 'failed', 'in-flight', 'p50', 'p99']) setText(`fact-${id}`, '–');
  setText('fact-serving', `? / ${model.fleet.seats.length}`);
}
