import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { follow, json, pause, queuePath } from './api.js';
import { duration, messages, size } from './format.js';
import { html } from './html.js';

/** @import { Question } from './confirm.js' */
/** @typedef {{ message_id: string, status: string, queue_position: number, age_seconds: number, attempts: number }} Message */
/** @typedef {{ state: string, queue_length: number, current_message_id: string | null, messages: readonly Message[] }} Queue */
/** @typedef {{ key: number, id: string | undefined, name: string, told: string }} Told */

const EVERY_MS = 2000;
/** A message's stream says at least that it is there each 15 s. */
const SILENT_MS = 40_000;
/** Events of a message that are shown, the newest. */
const SHOWN = 100;
/** While somebody reads older ones, so many, that they stay where they are. */
const MOST_SHOWN = 5000;
/** Who is no further from the end of the events reads the newest, in pixels. */
const AT_END = 8;

/**
 * One user's queue, and the live events of one of its messages: the one that is asked for, else the one that is worked on.
 * @param {object} props
 * @param {string} props.userId
 * @param {string | undefined} props.messageId
 * @param {boolean} props.showContent
 * @param {(question: Question) => void} props.ask
 * @param {() => void} props.close
 */
export function QueueView({ userId, messageId, showContent, ask, close }) {
  const [queue, setQueue] = useState(/** @type {Queue | undefined} */ (undefined));
  /** The message that was asked for; else the one in work, and when none is any more the last one. */
  const [followed, setFollowed] = useState(/** @type {string | null} */ (messageId ?? null));
  const [fault, setFault] = useState('');
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  const path = queuePath(userId);

  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    heading.current?.closest('section')?.scrollIntoView();
    const leave = new AbortController();
    const { signal } = leave;
    // One question at a time: while the broker does not answer, more of them would only pile up.
    const look = async () => {
      while (!signal.aborted) {
        try {
          const now = await json(path, { signal });
          setQueue(now);
          setFollowed((before) => messageId ?? now.current_message_id ?? before);
          setFault('');
        } catch (error) {
          if (!signal.aborted) setFault(String(error instanceof Error ? error.message : error));
        }
        await pause(EVERY_MS);
      }
    };
    void look();
    return () => leave.abort();
  }, []);

  const cancel = (/** @type {Message} */ { message_id, status }) =>
    ask({
      question: `Cancel the ${status === 'processing' ? 'running' : 'waiting'} message ${message_id} of ${userId}?`,
      yes: 'Cancel it',
      act: async () => {
        await json(`${path}/messages/${encodeURIComponent(message_id)}`, { method: 'DELETE' });
        return 'The message was cancelled.';
      },
    });
  const clear = () =>
    ask({
      question: `Cancel all that wait of ${userId} (${messages(queue?.queue_length)})?`,
      yes: 'Cancel all',
      act: async () => {
        const { cancelled } = await json(path, { method: 'DELETE' });
        return `Cancelled ${messages(cancelled)} of ${userId}.`;
      },
    });

  const runs = followed === queue?.current_message_id;
  const which = runs ? 'the running message' : messageId ? 'message' : 'the message that ran last';
  return html`
    <section class="queue" aria-labelledby="queue">
      <h2 id="queue" ref=${heading} tabindex="-1">Queue of ${userId}</h2>
      <button type="button" class="close" onClick=${close}>Close</button>
      <p class="fault" role="alert">${fault}</p>
      ${
        queue &&
        html`
          <p>State: <strong>${queue.state}</strong>. Waiting: <strong>${queue.queue_length}</strong>.</p>
          ${queue.queue_length > 0 && html`<p><button type="button" onClick=${clear}>Cancel all that wait</button></p>`}
          ${
            followed &&
            html`<${Events} key=${followed} userId=${userId} messageId=${followed} which=${which} showContent=${showContent} />`
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
              <th scope="row"><code class="id">${message.message_id}</code></th>
              <td data-label="State">${message.status}</td>
              <td data-label="Position" class="number">${message.queue_position || '–'}</td>
              <td data-label="Age" class="number">${duration(message.age_seconds)}</td>
              <td data-label="Attempts" class="number">${message.attempts}</td>
              <td class="actions">
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

/** @param {{ userId: string, messageId: string, which: string, showContent: boolean }} props */
function Events({ userId, messageId, which, showContent }) {
  const [told, setTold] = useState(/** @type {readonly Told[]} */ ([]));
  const [fault, setFault] = useState('');
  const list = useRef(/** @type {HTMLOListElement | null} */ (null));
  const atEnd = useRef(true);

  useLayoutEffect(() => {
    if (atEnd.current) list.current?.scrollTo(0, list.current.scrollHeight);
  }, [told]);
  useEffect(() => {
    const leave = new AbortController();
    const { signal } = leave;
    const query = new URLSearchParams({ user_id: userId, message_id: messageId });
    let key = 0;
    let last = '';
    let ended = false;
    const take = (/** @type {import('eventsource-parser').EventSourceMessage} */ { id, event, data }) => {
      key += 1;
      last = id || last;
      ended = event === 'done' || event === 'error';
      const next = { key, id, ...tellingOf(event, JSON.parse(data)) };
      if (list.current) {
        const { scrollHeight, scrollTop, clientHeight } = list.current;
        atEnd.current = scrollHeight - scrollTop - clientHeight <= AT_END;
      }
      setTold((before) => [...before.slice(1 - (atEnd.current ? SHOWN : MOST_SHOWN)), next]);
    };
    const read = async () => {
      while (!signal.aborted) {
        await follow(`api/v1/dashboard/stream?${query}`, {
          after: last,
          signal,
          silentMs: SILENT_MS,
          final: [401, 403, 404],
          onConnection: (connected) => setFault(connected || ended ? '' : 'Not connected; trying again.'),
          onEvent: take,
        });
        // One that has ended may be retried: its log goes on.
        await pause(EVERY_MS);
      }
    };
    read().catch((error) => setFault(error.message));
    return () => leave.abort();
  }, []);

  return html`
    <h3>Events of ${which} <code class="id">${messageId}</code></h3>
    ${!showContent && html`<p><small>Texts are not shown (DASHBOARD_SHOW_CONTENT).</small></p>`}
    <p class="fault" role="status">${fault}</p>
    <ol class="events" ref=${list} tabindex="0" aria-label="Events of the message">
      ${told.map(
        ({ key, id, name, told: text }) =>
          html`<li key=${key}><span class="n">${id ?? ''}</span> <strong>${name}</strong> ${text}</li>`,
      )}
    </ol>
  `;
}

/**
 * What is shown of an event; of the worker's, which have no name, the server tells an outline.
 * @param {string | undefined} event
 * @param {Record<string, unknown>} fields
 */
function tellingOf(event, { message_id, ...fields }) {
  if (event === undefined) {
    const { type, bytes, beginning } = fields;
    const told = size(Number(bytes));
    return { name: String(type), told: beginning === undefined ? told : `${told} ${beginning}` };
  }
  const told = Object.entries(fields).map(([name, value]) => `${name}: ${value}`);
  return { name: event, told: told.join(', ') };
}
