import { useLayoutEffect, useRef } from 'preact/hooks';
import { html } from './html.js';

/** @typedef {{ question: string, yes: string, act: () => Promise<string> }} Question */

/**
 * Asks before something is done that cannot be undone. The browser keeps the focus in it, and gives it back after.
 * @param {{ asked: Question, onAnswer: (yes: boolean) => void }} props
 */
export function Confirm({ asked, onAnswer }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  // At once: a key that is pressed as soon as the question is there belongs to it.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  // Closed first, so that the focus goes back before it is gone; the browser closes it by itself with Escape.
  const answer = (/** @type {string} */ value) => dialog.current?.close(value);
  return html`
    <dialog ref=${dialog} aria-labelledby="question" onClose=${() => onAnswer(dialog.current?.returnValue === 'yes')}>
      <p id="question">${asked.question}</p>
      <div class="actions">
        <button type="button" autofocus onClick=${() => answer('no')}>No</button>
        <button type="button" class="danger" onClick=${() => answer('yes')}>${asked.yes}</button>
      </div>
    </dialog>
  `;
}
