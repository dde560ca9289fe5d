import { useEffect, useRef } from 'preact/hooks';
import { html } from './html.js';

/** @typedef {{ question: string, yes: string, act: () => Promise<string> }} Question */

/**
 * Asks before something is done that cannot be undone. The browser keeps the focus in it, and gives it back after.
 * @param {{ asked: Question, onAnswer: (yes: boolean) => void }} props
 */
export function Confirm({ asked, onAnswer }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => dialog.current?.showModal(), []);
  const answer = (/** @type {boolean} */ yes) => {
    dialog.current?.close();
    onAnswer(yes);
  };
  return html`
    <dialog ref=${dialog} aria-labelledby="question" onCancel=${() => onAnswer(false)}>
      <p id="question">${asked.question}</p>
      <div class="actions">
        <button type="button" autofocus onClick=${() => answer(false)}>No</button>
        <button type="button" class="danger" onClick=${() => answer(true)}>${asked.yes}</button>
      </div>
    </dialog>
  `;
}
