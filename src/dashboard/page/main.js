import { render } from 'preact';
import { follow, forgetKey, hasKey, json, keepKey, queuePath, Refused } from './api.js';
import { Brokers } from './brokers.js';
import { Confirm } from './confirm.js';
import { DeadLetters } from './dead-letters.js';
import { time } from './format.js';
import { Health } from './health.js';
import { html } from './html.js';
import { KeyForm } from './key-form.js';
import { Machines } from './machines.js';
import { Plots } from './plots.js';
import { QueueView } from './queue.js';
import { Users } from './users.js';

/** @import { Chart, Column, Frame, Hour } from '../frame.ts' */
/** @import { Question } from './confirm.js' */

const MOST_SAMPLES = 3600;
/** The broker tells something each second. */
const SILENT_MS = 10_000;

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
  /** @type {string | undefined} */
  userId: undefined,
};

/** Ends the following of the broker. */
let following = new AbortController();

/** What had the focus before a queue was opened. @type {Element | null} */
let before = null;

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
function Dashboard({ frame, columns, charts, showContent, connected, keyAsked, keyFault, notice, question, userId }) {
  return html`
    <a class="skip" href="#main">To the content</a>
    <header>
      <h1>Message broker</h1>
      <p class="connection ${connected ? '' : 'lost'}" role="status">
        ${connected ? 'live' : keyAsked ? '' : frame ? `not connected; as of ${time(frame.at)}` : 'connecting…'}
      </p>
      ${hasKey() && !keyAsked && html`<button type="button" onClick=${leave}>Forget the key</button>`}
    </header>
    <main id="main">
      ${keyAsked && html`<${KeyForm} fault=${keyFault} onKey=${enter} />`}
      <p class="notice" role="status">${notice}</p>
      ${
        frame &&
        !keyAsked &&
        html`
          <${Health} frame=${frame} />
          <${Machines} charts=${charts} states=${frame.states} />
          <${Plots} columns=${columns} />
          ${userId !== undefined && html`<${QueueView} key=${userId} userId=${userId} showContent=${showContent} ask=${ask} close=${closeQueue} />`}
          <${Users} atWork=${frame.at_work} delayed=${frame.delayed} open=${openQueue} />
          <${DeadLetters} newest=${frame.dead_letters} showContent=${showContent} ask=${ask} open=${openQueue} fail=${tellFault} />
          <${Brokers} brokers=${frame.brokers} />
        `
      }
    </main>
    ${question && html`<${Confirm} asked=${question} onAnswer=${answer} />`}
  `;
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
  try {
    update({ notice: await question.act() });
  } catch (error) {
    tellFault(error);
  }
}

/** @param {unknown} error */
function tellFault(error) {
  const notice = error instanceof Refused ? error.message : 'The broker cannot be reached; nothing may have been done.';
  update({ notice });
}

/** @param {string} userId */
function openQueue(userId) {
  try {
    queuePath(userId);
  } catch (error) {
    return tellFault(error);
  }
  if (model.userId === undefined) before = document.activeElement;
  update({ userId, notice: '' });
}

function closeQueue() {
  update({ userId: undefined });
  if (before instanceof HTMLElement && before.isConnected) before.focus();
  else document.getElementById('user')?.focus();
}

/** @param {string} key */
function enter(key) {
  keepKey(key);
  update({ keyFault: '' });
  void connect();
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
      onConnection: (connected) => update(connected ? { connected, keyAsked: false } : { connected }),
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

show();
json('dashboard/charts.json').then(
  (charts) => update({ charts }),
  () => update({ notice: 'The charts could not be loaded; load the page again.' }),
);
void connect();
