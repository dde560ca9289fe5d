import { createParser } from 'eventsource-parser';

const KEY = 'broker-api-key';

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
 * Reads events to the end of the stream: an EventSource could not send the key.
 * @param {string} path
 * @param {{ signal: AbortSignal, onOpen?: () => void, onEvent: (event: import('eventsource-parser').EventSourceMessage) => void, after?: string }} options
 */
export async function events(path, { signal, onOpen, onEvent, after }) {
  const response = await ask(path, {
    signal,
    headers: { Accept: 'text/event-stream', ...(after ? { 'Last-Event-ID': after } : {}) },
  });
  onOpen?.();
  const parser = createParser({ onEvent });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) return;
    if (value) parser.feed(value);
  }
}
