import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { isObject } from '../../src/json.ts';

/** What is asked: a method, and a path with its query. */
export type Asked = { readonly method: string; readonly path: string };

const DOCUMENT = 'openapi.json';
/** What HTTP itself asks of every request. */
const TRANSPORT = ['host', 'connection', 'content-type', 'content-length', 'user-agent'];

const openApi = objectAt(closed(openApiDocument('0.0.0')));
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
formats.default(ajv);
// What is at the top of the document is no schema, and leads to those there are.
ajv.addVocabulary(Object.keys(openApi));
ajv.addSchema(openApi, DOCUMENT);

const templates = Object.keys(objectAt(openApi, 'paths')).map((path) => ({ path, pattern: patternOf(path) }));

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What is answered, with the names of headers in small letters; without a `body`, that is not looked at. */
export type Answered = { readonly status: number; readonly headers: Headers; readonly body?: string };

/** `fetch`, of an answer that openapi.json has. JSON is looked at; the events of a stream are not. */
export async function fetchDocumented(url: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init);
  const headers = Object.fromEntries(response.headers);
  const type = headers['content-type'];
  // Of a stream or a download a copy would be held to its end.
  const body = type && !/json/.test(type) ? {} : { body: await response.clone().text() };
  const asked = { method: init.method ?? 'GET', path: url.slice(new URL(url).origin.length) };
  mustBeDocumented(asked, { status: response.status, headers, ...body });
  return response;
}

/** Throws when openapi.json knows no such answer: its status, its headers, its content type, or what its body holds. */
export function mustBeDocumented(asked: Asked, answered: Answered): void {
  const { status, headers } = answered;
  const body = asked.method === 'HEAD' ? undefined : answered.body;
  const type = String(headers['content-type'] ?? '')
    .replace(/;.*/s, '')
    .trim();
  const what = `${asked.method} ${asked.path.slice(0, 200)} answered ${status} ${type}`;
  if (asked.method === 'OPTIONS') return;
  const operation = operationAt(asked);
  const place = operation ? [...operation, 'responses'] : ['x-elsewhere'];
  const responses = objectAt(openApi, ...place);
  const known = [String(status), `${String(status)[0]}XX`, 'default'].find((key) => key in responses);
  if (known === undefined) throw new Error(`${what}: openapi.json has only ${Object.keys(responses).join(', ')}`);
  const { content, headers: told = {} } = objectAt(responses, known);
  for (const name of Object.keys(objectAt(told))) {
    mustHave(what, [...place, known, 'headers', name], headers[name.toLowerCase()]);
  }
  if (content === undefined) {
    if (body) throw new Error(`${what} with a body, and openapi.json has none: ${body.slice(0, 500)}`);
    return;
  }
  const media = [type, '*/*'].find((key) => key in objectAt(content));
  if (media === undefined)
    throw new Error(`${what}: openapi.json has only ${Object.keys(objectAt(content)).join(', ')}`);
  // What the engine answers is its own.
  if (media === type) mustFit(what, [...place, known, 'content', media, 'schema'], body);
}

/** Throws when openapi.json knows no such event of that stream. */
export function mustBeDocumentedEvent(
  asked: Asked,
  { event, data }: { event: string | undefined; data: string },
): void {
  const what = `${asked.method} ${asked.path.slice(0, 200)} streamed "${event ?? 'message'}"`;
  const place = [...(operationAt(asked) ?? []), 'responses', '200', 'content', 'text/event-stream', 'x-events'];
  const name = event ?? 'message';
  if (!(name in objectAt(openApi, ...place))) throw new Error(`${what}: openapi.json knows no such event`);
  // An event of the engine is whatever the engine sent.
  if (event !== undefined) mustFit(what, [...place, name], data);
}

const CALLBACKS = {
  MessageEnded: ['/api/v1/message', 'messageEnded', '{$request.body#/callback_url}'],
  EngineCallback: ['/api/v1/chat/callback', 'engineProgress', '{$request.body#/progress_callback_url}'],
} as const;

/** Throws when a callback is not as openapi.json has those of its kind. */
export function mustBeDocumentedCallback(
  kind: keyof typeof CALLBACKS,
  { headers, text }: { readonly headers: Headers; readonly text: string },
): void {
  const what = 'A callback was posted';
  const [path, name, url] = CALLBACKS[kind];
  const place = ['paths', path, 'post', 'callbacks', name, url, 'post'];
  const known = new Set(TRANSPORT);
  for (const at of Object.keys(objectAt(openApi, ...place)['parameters'] ?? {})) {
    const parameter = [...place, 'parameters', at];
    const name = String(objectAt(openApi, ...parameter)['name']).toLowerCase();
    known.add(name);
    mustHave(what, parameter, headers[name]);
  }
  const stray = Object.keys(headers).find((header) => !known.has(header));
  if (stray) throw new Error(`${what} with ${stray}, which openapi.json does not have`);
  mustFit(what, [...place, 'requestBody', 'content', 'application/json', 'schema'], text);
}

/** A header is there, unless it need not be, and fits. */
function mustHave(what: string, place: readonly string[], value: string | readonly string[] | undefined): void {
  const { $ref } = objectAt(openApi, ...place);
  const found = typeof $ref === 'string' ? $ref.split('/').slice(1) : place;
  const { required, name = place.at(-1) } = objectAt(openApi, ...found);
  if (value !== undefined) mustFit(`${what} with ${name}`, [...found, 'schema'], String(value));
  else if (required) throw new Error(`${what} without ${name}`);
}

function mustFit(what: string, place: readonly string[], text: string | undefined): void {
  if (text === undefined) return;
  const validate = ajv.getSchema(`${DOCUMENT}#${fragment(...place)}`);
  if (!validate) throw new Error(`openapi.json has no ${place.join(' ')}`);
  if (validate(parsed(text, validate.schema))) return;
  throw new Error(
    `${what}, which is not as openapi.json has it: ${ajv.errorsText(validate.errors)}\n${text.slice(0, 500)}`,
  );
}

/** JSON, but for what is text. */
function parsed(text: string, schema: unknown): unknown {
  return isObject(schema) && (schema['type'] === 'string' || typeof schema['const'] === 'string')
    ? text
    : JSON.parse(text);
}

/** The way to the operation in the document. */
function operationAt({ method, path }: Asked): readonly string[] | undefined {
  const plain = path.replace(/[?#].*/s, '');
  const name = method === 'HEAD' ? 'get' : method.toLowerCase();
  const fitting = templates.filter(({ pattern }) => pattern.test(plain)).map((template) => template.path);
  const found = fitting.find((template) => name in objectAt(openApi, 'paths', template));
  return found === undefined ? undefined : ['paths', found, name];
}

function patternOf(template: string): RegExp {
  const parts = template.split(/\{(\w+)\}/);
  return new RegExp(`^${parts.map((part, at) => (at % 2 ? (part === 'path' ? '.+' : '[^/]+') : part)).join('')}$`);
}

/** The document of a broker that answers with no field more than it says: what it does not say would never be missed. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (!isObject(value)) return value;
  const all = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, closed(part)]));
  return value['type'] === 'object' && 'properties' in value ? { additionalProperties: false, ...all } : all;
}

function fragment(...way: readonly string[]): string {
  return way.map((key) => `/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('');
}

function objectAt(value: unknown, ...way: readonly string[]): Record<string, unknown> {
  const found = way.reduce((part, key) => {
    if (Array.isArray(part)) return part[Number(key)];
    return isObject(part) ? part[key] : undefined;
  }, value);
  if (!isObject(found)) throw new Error(`openapi.json has no ${way.join(' ')}`);
  return found;
}
