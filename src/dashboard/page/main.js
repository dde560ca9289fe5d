import { render } from 'preact';
import { events, forgetKey, hasKey, json, keepKey, Refused } from './api.js';
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

/** @import { Chart, Frame, Hour, Sample } from '../frame.ts' */
/** @import { Question } from './confirm.js' */

const MOST_SAMPLES = 3600;
const AGAIN_MS = 1000;
/** A broker that tells nothing for so long is gone, whatever the connection says: it tells something each second. */
const SILENT_MS = 10_000;

/** What the page shows. */
const model = {
  /** @type {Frame | undefined} */
  frame: undefined,
  /** @type {readonly Sample[]} */
  samples: [],
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
function Dashboard({ frame, samples, charts, showContent, connected, keyAsked, keyFault, notice, question, userId }) {
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
          <${Plots} samples=${samples} />
          ${userId !== undefined && html`<${QueueView} key=${userId} userId=${userId} showContent=${showContent} ask=${ask} close=${closeQueue} />`}
          <${Users} delayed=${frame.delayed} open=${openQueue} />
          <${DeadLetters} letters=${frame.dead_letters} ask=${ask} open=${openQueue} />
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
    update({
      notice: error instanceof Refused ? error.message : 'The broker cannot be reached; nothing may have been done.',
    });
  }
}

/** @param {string} userId */
function openQueue(userId) {
  if (model.userId === undefined) before = document.activeElement;
  update({ userId });
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
  void follow();
}

function leave() {
  forgetKey();
  location.reload();
}

/** Follows the broker until it refuses the key. */
async function follow() {
  for (;;) {
    try {
      await listen();
    } catch (error) {
      if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
        const fault = error.status === 403 ? `The broker does not know this key (it says: ${error.message}).` : '';
        forgetKey();
        update({ keyAsked: true, keyFault: fault, connected: false });
        return;
      }
    }
    update({ connected: false });
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

async function listen() {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENT_MS);
  try {
    await events('api/v1/dashboard/events', {
      signal: silent.signal,
      onOpen: () => update({ connected: true, keyAsked: false }),
      onEvent: ({ event, data }) => {
        clearTimeout(timer);
        timer = setTimeout(() => silent.abort(), SILENT_MS);
        if (event === 'hour') takeHour(JSON.parse(data));
        else if (event === 'frame') takeFrame(JSON.parse(data));
      },
    });
  } finally {
    clearTimeout(timer);
  }
}

/** @param {Hour} hour */
function takeHour({ fields, samples, show_content }) {
  const rows = samples.map(
    (values) => /** @type {Sample} */ (Object.fromEntries(fields.map((field, i) => [field, values[i]]))),
  );
  update({ samples: rows, showContent: show_content });
}

/** @param {Frame} frame */
function takeFrame(frame) {
  update({ frame, samples: [...model.samples, frame.sample].slice(-MOST_SAMPLES) });
}

show();
json('dashboard/charts.json').then(
  (charts) => update({ charts }),
  () => update({ notice: 'The charts could not be loaded; load the page again.' }),
);
void follow();
