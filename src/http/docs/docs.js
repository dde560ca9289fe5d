import { reference } from './reference.js';

/** Where the tab keeps its key: gone with the tab. */
const STORED = 'broker-api-key';

const form = document.querySelector('#ask');
const input = document.querySelector('#key');
const fault = document.querySelector('#fault');

/** The OpenAPI document, or why it is not to be had; neither when a key is needed and there is none. */
async function fetchOpenApi(key) {
  // What no header can hold is no key.
  if (key && !/^[\x21-\x7e]+$/.test(key)) return { why: 'Invalid API key' };
  try {
    const answer = await fetch('/openapi.json', { headers: key ? { 'X-API-Key': key } : {} });
    const body = await answer.json();
    if (answer.ok) return { openApi: body };
    return answer.status === 401 && !key ? {} : { why: body.detail };
  } catch {
    return { why: 'The broker does not answer. Try again.' };
  }
}

async function open(key) {
  const { openApi, why } = await fetchOpenApi(key);
  if (openApi) {
    if (key) sessionStorage.setItem(STORED, key);
    form.remove();
    document.body.append(...reference(openApi));
    // What a link to this page names is there only now.
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
    return;
  }
  sessionStorage.removeItem(STORED);
  fault.textContent = why ?? '';
  form.hidden = false;
  input.select();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  void open(input.value.trim());
});
void open(sessionStorage.getItem(STORED) ?? '');
