import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { isObject } from '../../src/json.ts';

/** What is asked: a method, and a path with its query. */
export type Asked = { readonly method: string; readonly path: string };

const DOCUMENT = 'openapi.json';
/** What is told where there is no operation. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'application/problem+json': '/components/schemas/Problem',
  'application/json': '/components/schemas/EngineFault',
};
const NO_OPERATION = [400, 401, 403, 404, 405];

const openApi = objectAt(closed(openApiDocument('0.0.0')));
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
formats.default(ajv);
// What is at the top of the document is no schema, and leads to those there are.
ajv.addVocabulary(Object.keys(openApi));
ajv.addSchema(openApi, DOCUMENT);

const templates = Object.keys(objectAt(openApi, 'paths')).map((path) => ({ path, pattern: patternOf(path) }));

/** What is answered; without a `body`, that is not looked at. */
export type Answered = { readonly status: number; readonly type: string | null | undefined; readonly body?: string };

/** `fetch`, of an answer that openapi.json has. JSON is looked at; the events of a stream are not. */
export async function fetchDocumented(url: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init);
  const type = response.headers.get('content-type');
  // Of a stream or a download a copy would be held to its end.
  const body = type && !/json/.test(type) ? {} : { body: await response.clone().text() };
  const asked = { method: init.method ?? 'GET', path: url.slice(new URL(url).origin.length) };
  mustBeDocumented(asked, { status: response.status, type, ...body });
  return response;
}

/** Throws when openapi.json knows no such answer: its status, its content type, or what its body holds. */
export function mustBeDocumented(asked: Asked, answered: Answered): void {
  const { status, type: contentType } = answered;
  const body = asked.method === 'HEAD' ? undefined : answered.body;
  const type = (contentType ?? '').replace(/;.*/s, '').trim();
  const what = `${asked.method} ${asked.path.slice(0, 200)} answered ${status} ${type}`;
  if (asked.method === 'OPTIONS') return;
  const pointer = operationAt(asked);
  if (pointer === undefined) {
    const schema = NO_OPERATION.includes(status) ? ELSEWHERE[type] : undefined;
    if (!schema) throw new Error(`${what}: openapi.json knows no such operation`);
    mustFit(what, schema, body);
    return;
  }
  const responses = objectAt(openApi, ...pointer, 'responses');
  const known = [String(status), `${String(status)[0]}XX`, 'default'].find((key) => key in responses);
  if (known === undefined) throw new Error(`${what}: openapi.json has only ${Object.keys(responses).join(', ')}`);
  const { content } = objectAt(responses, known);
  if (content === undefined) {
    if (body) throw new Error(`${what} with a body, and openapi.json has none: ${body.slice(0, 500)}`);
    return;
  }
  const media = [type, '*/*'].find((key) => key in objectAt(content));
  if (media === undefined)
    throw new Error(`${what}: openapi.json has only ${Object.keys(objectAt(content)).join(', ')}`);
  // What the engine answers is its own.
  if (media === type) mustFit(what, fragment(...pointer, 'responses', known, 'content', media, 'schema'), body);
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
  if (event !== undefined) mustFit(what, fragment(...place, name), data);
}

/** Throws when a callback is not as openapi.json has those of its kind. */
export function mustBeDocumentedCallback(kind: 'MessageEnded' | 'EngineCallback', body: string): void {
  mustFit('A callback was posted', `/components/schemas/${kind}`, body);
}

function mustFit(what: string, pointer: string, body: string | undefined): void {
  if (body === undefined) return;
  const validate = ajv.getSchema(`${DOCUMENT}#${pointer}`);
  if (!validate) throw new Error(`openapi.json has no ${pointer}`);
  if (validate(parsed(body, validate.schema))) return;
  throw new Error(
    `${what}, which is not as openapi.json has it: ${ajv.errorsText(validate.errors)}\n${body.slice(0, 500)}`,
  );
}

/** JSON, but for what is text. */
function parsed(body: string, schema: unknown): unknown {
  return isObject(schema) && schema['type'] === 'string' ? body : JSON.parse(body);
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
  const found = way.reduce((part, key) => (isObject(part) ? part[key] : undefined), value);
  if (!isObject(found)) throw new Error(`openapi.json has no ${way.join(' ')}`);
  return found;
}
