import { z } from 'zod';
import { objectIn } from '../../json.ts';
import { DASHBOARD_PATHS } from './dashboard.ts';
import { ENGINE_PATHS } from './engine.ts';
import { HEALTH_PATHS } from './health.ts';
import { MESSAGE_PATHS } from './message.ts';
import type { Paths, Security, Tag } from './operation.ts';
import { PAGE_PATHS } from './page.ts';
import { QUEUE_PATHS } from './queue.ts';
import { jsonSchemas, schemasIn } from './schema.ts';

const DESCRIPTION = `Accepts chat messages, hands them to the AI engine strictly in order, one at a time for each user, and
streams its answers back.

JSON in UTF-8. Keys are asked for where \`BROKER_API_KEY\` is set. Every answer carries \`X-Request-Id\`: the client's own,
if it is 1 to 128 visible ASCII characters. Faults are problem details (RFC 9457) with a stable \`code\`, but for those of
the engine's own interface. A path that is not here is answered with \`404\` \`not_found\`, another method with \`405\`
\`method_not_allowed\` and \`Allow\`; \`HEAD\` is possible wherever \`GET\` is.`;

const TAGS: Readonly<Record<Tag, string>> = {
  Messages: 'Sending messages, reading their events, cancelling and retrying them',
  Queues: 'What waits, and what failed',
  Engine: "The engine's own interface, in order: its clients come by changing a URL and a key",
  Health: 'How the broker, its store and the engine are',
  Documents: 'Pages and documents',
};

const SECURITY: Security = [{ apiKey: [] }, { bearer: [] }];

const PATHS: Paths = {
  ...MESSAGE_PATHS,
  ...QUEUE_PATHS,
  ...ENGINE_PATHS,
  ...HEALTH_PATHS,
  ...PAGE_PATHS,
  ...DASHBOARD_PATHS,
};

const SECURITY_SCHEMES = {
  apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'One of `BROKER_API_KEY`.' },
  bearer: { type: 'http', scheme: 'bearer', description: 'The same key as a bearer token.' },
  streamToken: {
    type: 'apiKey',
    in: 'query',
    name: 'token',
    description: "The `token` in a `stream_url`: opens one message's events, for a browser's `EventSource`.",
  },
};

const REQUEST_ID = 'Names this request in the log, where it was refused or did something to a message.';
const HEADERS = { 'X-Request-Id': { description: REQUEST_ID, schema: { type: 'string' } } };
const IDENTIFIED = { 'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' } };

/** The broker's interface as OpenAPI 3.1 describes it, made from the schemas that read its requests. */
export function openApiDocument(version: string): Readonly<Record<string, unknown>> {
  const paths = identified(PATHS);
  const { schemaOf, components } = jsonSchemas(schemasIn(paths));
  const document = {
    openapi: '3.1.1',
    info: {
      title: 'BT Servant message broker',
      version,
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This broker' }],
    security: SECURITY,
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: components,
      headers: HEADERS,
      securitySchemes: SECURITY_SCHEMES,
    },
  };
  const replaced = (_key: string, value: unknown) => (value instanceof z.ZodType ? schemaOf(value) : value);
  return objectIn(JSON.stringify(document, replaced));
}

/** Every answer with the header that all have. */
function identified(paths: Paths) {
  return mapped(paths, (item) =>
    mapped(item, (operation) => ({
      ...operation,
      responses: mapped(operation.responses, (answer) => ({
        ...answer,
        headers: { ...IDENTIFIED, ...answer.headers },
      })),
    })),
  );
}

function mapped<From, To>(record: Readonly<Record<string, From>>, map: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
