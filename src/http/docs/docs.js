import { render } from 'preact';
import { forgetKey, hasKey, json, keepKey, Refused } from '../../dashboard/page/api.js';
import { html } from '../../dashboard/page/html.js';
import { KeyForm } from '../../dashboard/page/key-form.js';
import { Reference } from './reference.js';

function show(content) {
  render(content, document.getElementById('app'));
}

const narrow = matchMedia('(max-width: 48rem)');

/** The contents are beside the page; where there is no room for that, they are folded above it. */
function fold() {
  const contents = document.querySelector('nav details');
  if (contents) contents.open = !narrow.matches;
}

/** Shows the document, or why it is not to be had: a key that is wrong is forgotten, one of a broker that is away is not. */
async function open() {
  try {
    const openApi = await json('openapi.json');
    show(html`<${Reference} openApi=${openApi} />`);
    fold();
    // What a link to this page names is there only now.
    const target = document.getElementById(location.hash.slice(1)) ?? document.querySelector('h1');
    target.tabIndex = -1;
    target.focus();
  } catch (error) {
    if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
      const fault = hasKey() ? error.message : '';
      forgetKey();
      show(html`<main><h1>The HTTP interface of the broker</h1><${KeyForm} fault=${fault} onKey=${enter} /></main>`);
      return;
    }
    const why = error instanceof Refused ? error.message : 'The broker does not answer.';
    show(html`<main><p role="alert">${why}</p><button type="button" onClick=${open}>Try again</button></main>`);
  }
}

function enter(key) {
  keepKey(key);
  void open();
}

narrow.addEventListener('change', fold);
void open();
