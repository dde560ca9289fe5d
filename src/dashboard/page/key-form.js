import { useState } from 'preact/hooks';
import { html } from './html.js';

/** The broker takes no others, and a browser sends not even all of them. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/**
 * Asks for the broker's key.
 * @param {{ fault: string, onKey: (key: string) => void }} props
 */
export function KeyForm({ fault, onKey }) {
  const [unusable, setUnusable] = useState(false);
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (!(event.target instanceof HTMLFormElement)) return;
    const key = String(new FormData(event.target).get('key') ?? '').trim();
    const usable = VISIBLE_ASCII.test(key);
    setUnusable(!usable);
    if (usable) onKey(key);
  };
  return html`
    <form class="key" onSubmit=${submit}>
      <h2>This broker asks for a key</h2>
      <label for="key">API key</label>
      <input id="key" name="key" type="password" autocomplete="off" required autofocus aria-describedby="key-help key-fault" />
      <p id="key-help"><small>One of BROKER_API_KEY. It is kept until this tab is closed.</small></p>
      <p id="key-fault" class="fault" role="alert">
        ${unusable ? 'This is no key: keys are of ASCII letters, digits and signs, without spaces.' : fault}
      </p>
      <button type="submit">Open</button>
    </form>
  `;
}
