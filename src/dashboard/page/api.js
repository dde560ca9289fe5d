import { createParser } from 'eventsource-parser';

const KEY = 'broker-api-key';
/** After so long a broken stream is asked for again. */
const AGAIN_MS = 1000;

/** The broker's answer was no. `message` is its own sentence. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} detail
   */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/**
 * Keeps the key for as long as this tab is open.
 * @param {string} key
 */
export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
}

export function forgetKey() {
  sessionStorage.removeItem(KEY);
}

export function hasKey() {
  return sessionStorage.getItem(KEY) !== null;
}

/**
 * Asks the broker; `path` is relative to the dashboard's address, so that both may be behind a path of a proxy.
 * Throws Refused.
 * @param {string} path
 * @param {{ method?: string, signal?: AbortSignal, headers?: Record<string, string> }} [options]
 */
async function ask(path, { method = 'GET', signal, headers = {} } = {}) {
  const key = sessionStorage.getItem(KEY);
  const response = await fetch(path, {
    method,
    headers: key === null ? headers : { ...headers, 'X-API-Key': key },
    ...(signal ? { signal } : {}),
  });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Refused(response.status, String(problem.detail ?? `The broker answered ${response.status}.`));
}

/**
 * @param {string} path
 * @param {{ method?: string, signal?: AbortSignal }} [options]
 */
export async function json(path, options) {
  return (await ask(path, options)).json();
}

/**
 * The path of a queue. Throws Refused for two names: no browser asks for them, whatever they are escaped to.
 * @param {string} userId
 */
export function queuePath(userId) {
  if (userId === '.' || userId === '..') {
    throw new Refused(
      404,
      `A browser takes “${userId}” for a step in a path, and cannot ask for the queue of that name.`,
    );
  }
  return `api/v1/queue/${encodeURIComponent(userId)}`;
}

/** @param {number} ms */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * @typedef {object} Following
 * @property {string} [after] id of the event to begin after
 * @property {AbortSignal} signal leaves the stream
 * @property {number} silentMs A broker that sends not one byte for so long is gone, whatever the connection says.
 * @property {readonly number[]} final refusals that no patience helps against
 * @property {(event: import('eventsource-parser').EventSourceMessage) => void} onEvent
 * @property {(connected: boolean) => void} onConnection
 */

/**
 * Follows a stream, again and again from where it was, until nothing more will come or it is left. An EventSource could not
 * send the key. Throws a final Refused.
 * @param {string} path
 * @param {Following} following
 */
export async function follow(path, following) {
  const { after = '', signal, final, onEvent, onConnection } = following;
  let last = after;
  const note = (/** @type {import('eventsource-parser').EventSourceMessage} */ event) => {
    last = event.id || last;
    onEvent(event);
  };
  while (!signal.aborted) {
    try {
      if (await read(path, { ...following, onEvent: note }, last)) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Refused && final.includes(error.status)) throw error;
    }
    onConnection(false);
    await pause(AGAIN_MS);
  }
}

/**
 * Reads a stream to its end; true when nothing more will come.
 * @param {string} path
 * @param {Following} following
 * @param {string} after
 */
async function read(path, { signal, silentMs, onConnection, onEvent }, after) {
  const silent = new AbortController();
  const giveUp = () => silent.abort();
  let timer = setTimeout(giveUp, silentMs);
  try {
    const response = await ask(path, {
      signal: AbortSignal.any([signal, silent.signal]),
      headers: { Accept: 'text/event-stream', ...(after ? { 'Last-Event-ID': after } : {}) },
    });
    onConnection(true);
    if (response.status === 204 || !response.body) return true;
    const parser = createParser({ onEvent });
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      clearTimeout(timer);
      timer = setTimeout(giveUp, silentMs);
      parser.feed(decoder.decode(value, { stream: true }));
    }
  } finally {
    clearTimeout(timer);
  }
}
