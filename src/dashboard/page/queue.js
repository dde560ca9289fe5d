import { useEffect, useRef, useState } from 'preact/hooks';
import { events, json } from './api.js';
import { count, duration, size } from './format.js';
import { html } from './html.js';

/** @import { Question } from './confirm.js' */
/** @typedef {{ message_id: string, status: string, queue_position: number, queued_at: string, attempts: number }} Message */
/** @typedef {{ state: string, queue_length: number, current_message_id: string | null, messages: readonly Message[] }} Queue */
/** @typedef {{ id: string | undefined, name: string, told: string }} Told */

const EVERY_MS = 1000;
/** Events of a message that are shown, the newest. */
const SHOWN = 100;

/**
 * One user's queue, and the live events of the message that is worked on.
 * @param {{ userId: string, showContent: boolean, ask: (question: Question) => void, close: () => void }} props
 */
export function QueueView({ userId, showContent, ask, close }) {
  const [queue, setQueue] = useState(/** @type {Queue | undefined} */ (undefined));
  const [fault, setFault] = useState('');
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  const path = `api/v1/queue/${encodeURIComponent(userId)}`;

  useEffect(() => {
    heading.current?.focus();
    const leave = new AbortController();
    const look = () =>
      json(path, { signal: leave.signal }).then(
        (answer) => {
          setQueue(answer);
          setFault('');
        },
        (error) => {
          if (!leave.signal.aborted) setFault(error.message);
        },
      );
    void look();
    const timer = setInterval(look, EVERY_MS);
    return () => {
      clearInterval(timer);
      leave.abort();
    };
  }, []);

  const cancel = (/** @type {Message} */ { message_id, status }) =>
    ask({
      question: `Cancel the ${status === 'processing' ? 'running' : 'waiting'} message …${message_id.slice(-12)} of ${userId}?`,
      yes: 'Cancel it',
      act: async () => {
        await json(`${path}/messages/${encodeURIComponent(message_id)}`, { method: 'DELETE' });
        return 'The message was cancelled.';
      },
    });
  const clear = () =>
    ask({
      question: `Cancel all ${count(queue?.queue_length)} waiting messages of ${userId}?`,
      yes: 'Cancel all',
      act: async () => {
        const { cancelled } = await json(path, { method: 'DELETE' });
        return `${count(cancelled)} messages of ${userId} were cancelled.`;
      },
    });

  return html`
    <section class="queue" aria-labelledby="queue">
      <h2 id="queue" ref=${heading} tabindex="-1">Queue of ${userId}</h2>
      <button type="button" class="close" onClick=${close}>Close</button>
      <p class="fault" role="alert">${fault}</p>
      ${
        queue &&
        html`
          <p>State: <strong>${queue.state}</strong>. Waiting: <strong>${count(queue.queue_length)}</strong>.</p>
          ${queue.queue_length > 0 && html`<p><button type="button" onClick=${clear}>Cancel all that wait</button></p>`}
          ${
            queue.current_message_id &&
            html`<${Events} key=${queue.current_message_id} userId=${userId} messageId=${queue.current_message_id} showContent=${showContent} />`
          }
          ${queue.messages.length > 0 && html`<${Messages} messages=${queue.messages} cancel=${cancel} />`}
        `
      }
    </section>
  `;
}

/** @param {{ messages: readonly Message[], cancel: (message: Message) => void }} props */
function Messages({ messages, cancel }) {
  return html`
    <table>
      <thead>
        <tr>
          <th scope="col">Message</th>
          <th scope="col">State</th>
          <th scope="col" class="number">Position</th>
          <th scope="col" class="number">Age</th>
          <th scope="col" class="number">Attempts</th>
          <th scope="col">Actions</th>
        </tr>
      </thead>
      <tbody>
        ${messages.map(
          (message) => html`
            <tr key=${message.message_id}>
              <th scope="row"><code title=${message.message_id}>…${message.message_id.slice(-12)}</code></th>
              <td data-label="State">${message.status}</td>
              <td data-label="Position" class="number">${message.queue_position || '–'}</td>
              <td data-label="Age" class="number">${duration((Date.now() - Date.parse(message.queued_at)) / 1000)}</td>
              <td data-label="Attempts" class="number">${message.attempts}</td>
              <td data-label="Actions" class="actions">
                <button type="button" aria-label="Cancel message ${message.message_id.slice(-12)}" onClick=${() => cancel(message)}>
                  Cancel
                </button>
              </td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}

/** @param {{ userId: string, messageId: string, showContent: boolean }} props */
function Events({ userId, messageId, showContent }) {
  const [told, setTold] = useState(/** @type {readonly Told[]} */ ([]));

  useEffect(() => {
    const leave = new AbortController();
    const query = new URLSearchParams({ user_id: userId, message_id: messageId });
    events(`api/v1/dashboard/stream?${query}`, {
      signal: leave.signal,
      onEvent: ({ id, event, data }) => {
        const next = { id, name: nameOf(event, data), told: tellingOf(event, data, showContent) };
        setTold((before) => [...before.slice(1 - SHOWN), next]);
      },
    }).catch(() => {
      // The queue above tells when the broker does not answer.
    });
    return () => leave.abort();
  }, []);

  return html`
    <h3>Events of the running message <code>…${messageId.slice(-12)}</code></h3>
    ${!showContent && html`<p><small>Texts are not shown (DASHBOARD_SHOW_CONTENT).</small></p>`}
    <ol class="events" tabindex="0" aria-label="Events of the running message">
      ${told.map(
        ({ id, name, told: text }, index) =>
          html`<li key=${id ?? `passing-${index}`}><span class="id">${id ?? ''}</span> <strong>${name}</strong> ${text}</li>`,
      )}
    </ol>
  `;
}

/**
 * @param {string | undefined} event
 * @param {string} data
 */
function nameOf(event, data) {
  return event ?? String(JSON.parse(data).type);
}

/**
 * @param {string | undefined} event
 * @param {string} data
 * @param {boolean} showContent
 */
function tellingOf(event, data, showContent) {
  const fields = JSON.parse(data);
  if (event === undefined && !showContent) return size(fields.bytes);
  delete fields.message_id;
  delete fields.type;
  return Object.entries(fields)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ');
}
