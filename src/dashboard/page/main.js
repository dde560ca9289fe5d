import { render } from 'preact';
import { follow, forgetKey, hasKey, json, keepKey, queuePath, Refused } from './api.js';
import { Brokers } from './brokers.js';
import { Confirm } from './confirm.js';
import { DeadLetters } from './dead-letters.js';
import { time, zone } from './format.js';
import { Health } from './health.js';
import { html } from './html.js';
import { KeyForm } from './key-form.js';
import { Machines } from './machines.js';
import { Plots } from './plots.js';
import { QueueView } from './queue.js';
import { Users } from './users.js';

/** @import { Chart, Column, Frame, Hour } from '../frame.ts' */
/** @import { Question } from './confirm.js' */
/** @typedef {{ userId: string, messageId: string | undefined }} Opened */

const MOST_SAMPLES = 3600;
/** The broker tells something each second. */
const SILENT_MS = 10_000;
/** So long a notice is shown. */
const NOTICE_MS = 12_000;

/** What the page shows. */
const model = {
  /** @type {Frame | undefined} */
  frame: undefined,
  /** @type {readonly Column[]} */
  columns: [],
  /** @type {readonly Chart[]} */
  charts: [],
  showContent: false,
  connected: false,
  keyAsked: false,
  keyFault: '',
  /** What was done last, or why it could not be. */
  notice: '',
  /** @type {Question | undefined} */
  question: undefined,
  /** Whose queue is open, and for which message, if for one. @type {Opened | undefined} */
  opened: undefined,
};

/** Ends the following of the broker. */
let following = new AbortController();

/** What had the focus before a queue was opened. @type {Element | null} */
let before = null;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let noticeTimer;

/** @param {Partial<typeof model>} changes */
function update(changes) {
  Object.assign(model, changes);
  show();
}

function show() {
  const root = document.getElementById('app');
  if (root) render(html`<${Dashboard} ...${model} />`, root);
}

/** @param {typeof model} props */
function Dashboard({ frame, columns, charts, showContent, connected, keyAsked, keyFault, notice, question, opened }) {
  const lost = frame !== undefined && !connected && !keyAsked;
  return html`
    <a class="skip" href="#main">To the content</a>
    <header>
      <h1 tabindex="-1">Message broker</h1>
      <p class="connection ${lost ? 'lost' : ''}" role="status">
        ${lost ? `not connected; as of ${time(frame.at)}` : connected ? 'live' : !keyAsked && 'connecting…'}
      </p>
      ${hasKey() && !keyAsked && html`<button type="button" onClick=${leave}>Forget the key</button>`}
    </header>
    <main id="main">
      ${keyAsked && html`<${KeyForm} fault=${keyFault} onKey=${enter} />`}
      ${
        frame &&
        !keyAsked &&
        html`
          <${Health} frame=${frame} away=${lost} />
          <${Plots} columns=${columns} />
          ${opened && html`<${QueueView} key=${`${opened.messageId} ${opened.userId}`} ...${opened} showContent=${showContent} ask=${ask} close=${closeQueue} />`}
          <${Users} atWork=${frame.at_work} delayed=${frame.delayed} open=${openQueue} />
          <${DeadLetters} newest=${frame.dead_letters} showContent=${showContent} ask=${ask} open=${openQueue} fail=${tellFault} />
          <${Machines} charts=${charts} states=${frame.states} />
          <${Brokers} brokers=${frame.brokers} />
        `
      }
      <p class="notice" role="status">${notice}</p>
    </main>
    <footer>
      <p>Times are those of ${zone()}. <a href="docs">The broker's HTTP interface</a></p>
    </footer>
    ${question && html`<${Confirm} asked=${question} onAnswer=${answer} />`}
  `;
}

/** Shows what happened, wherever one is on the page, for a while. @param {string} notice */
function tell(notice) {
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => update({ notice: '' }), NOTICE_MS);
  update({ notice });
}

/** @param {Question} question */
function ask(question) {
  update({ question, notice: '' });
}

/** @param {boolean} yes */
async function answer(yes) {
  const { question } = model;
  update({ question: undefined });
  if (!yes || !question) return;
  const asked = document.activeElement;
  const places = placesNear(asked);
  try {
    tell(await question.act());
    if (asked === document.activeElement || document.activeElement === document.body) {
      places.find(({ isConnected }) => isConnected)?.focus();
    }
  } catch (error) {
    tellFault(error);
  }
}

/**
 * Where the focus may go from something that is soon gone: to the same of the next row or of the one before, else to the
 * heading.
 * @param {Element | null} element
 */
function placesNear(element) {
  const row = element?.closest('tr');
  const rows = [row?.nextElementSibling, row?.previousElementSibling];
  const places = [
    ...rows.map((near) => near?.querySelector('.actions button')),
    element?.closest('section')?.querySelector('h2'),
  ];
  return places.filter((place) => place instanceof HTMLElement);
}

/** @param {unknown} error */
function tellFault(error) {
  tell(error instanceof Refused ? error.message : 'The broker cannot be reached; nothing may have been done.');
}

/**
 * @param {string} userId
 * @param {string} [messageId]
 */
function openQueue(userId, messageId) {
  try {
    queuePath(userId);
  } catch (error) {
    return tellFault(error);
  }
  history.pushState(null, '', `#${new URLSearchParams({ user: userId, ...(messageId && { message: messageId }) })}`);
  goByAddress();
}

function closeQueue() {
  history.pushState(null, '', location.pathname + location.search);
  goByAddress();
}

/** Shows the queue that the address names: it can be linked, and outlasts a reload. */
function goByAddress() {
  // The link to the content names no queue.
  if (location.hash === '#main') return;
  const named = new URLSearchParams(location.hash.slice(1));
  const [userId, messageId] = ['user', 'message'].map((name) => named.get(name) || undefined);
  if (userId === undefined) return leaveQueue();
  try {
    queuePath(userId);
  } catch (error) {
    return tellFault(error);
  }
  if (!model.opened) before = document.activeElement;
  update({ opened: { userId, messageId }, notice: '' });
  document.getElementById('queue')?.focus();
}

function leaveQueue() {
  if (!model.opened) return;
  update({ opened: undefined });
  if (before instanceof HTMLElement && before.isConnected && before !== document.body) before.focus();
  else document.getElementById('user')?.focus();
}

/** @param {string} key */
function enter(key) {
  keepKey(key);
  update({ keyFault: '' });
  void connect();
}

/** The form for the key goes, and the focus that it had would be nowhere. */
function enterPage() {
  const { keyAsked } = model;
  update({ connected: true, keyAsked: false });
  if (keyAsked) document.querySelector('h1')?.focus();
}

function leave() {
  forgetKey();
  location.reload();
}

/** Follows the broker until it refuses the key. Whatever was followed before is left. */
async function connect() {
  following.abort();
  following = new AbortController();
  const { signal } = following;
  try {
    await follow('api/v1/dashboard/events', {
      signal,
      silentMs: SILENT_MS,
      final: [401, 403],
      onConnection: (connected) => (connected ? enterPage() : update({ connected })),
      onEvent: ({ event, data }) => {
        if (event === 'hour') takeHour(JSON.parse(data));
        else if (event === 'frame') takeFrame(JSON.parse(data));
      },
    });
  } catch (error) {
    if (signal.aborted || !(error instanceof Refused)) return;
    const fault = error.status === 403 ? `The broker does not know this key (it says: ${error.message}).` : '';
    forgetKey();
    update({ keyAsked: true, keyFault: fault, connected: false });
  }
}

/** @param {Hour} hour */
function takeHour({ columns, show_content }) {
  update({ columns, showContent: show_content });
}

/** @param {Frame} frame */
function takeFrame(frame) {
  const columns = model.columns.map(({ field, values }) => ({
    field,
    values: [...values.slice(1 - MOST_SAMPLES), frame.sample[field]],
  }));
  update({ frame, columns });
}

addEventListener('popstate', goByAddress);
goByAddress();
show();
json('dashboard/charts.json').then(
  (charts) => update({ charts }),
  () => tell('The drawings of the machines could not be loaded; load the page again.'),
);
void connect();
