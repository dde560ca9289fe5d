import { z } from 'zod';
import { objectIn } from '../../json.ts';
import { DASHBOARD_PATHS } from './dashboard.ts';
import { ENGINE_PATHS, faults } from './engine.ts';
import { HEALTH_PATHS } from './health.ts';
import { MESSAGE_PATHS } from './message.ts';
import { type Answers, either, header, type Paths, parameters, type Security, type Tag } from './operation.ts';
import { PAGE_PATHS } from './page.ts';
import { KEYED, problems } from './problem.ts';
import { QUEUE_PATHS } from './queue.ts';
import { jsonSchemas, schemasIn } from './schema.ts';

const DESCRIPTION = `Accepts chat messages, hands them to the AI engine strictly in order, one at a time for each user, and
streams its answers back.

JSON in UTF-8. Keys are asked for where \`BROKER_API_KEY\` is set. Every answer carries \`X-Request-Id\`: the client's own,
if it is 1 to 128 visible ASCII characters. Faults are problem details (RFC 9457) with a stable \`code\`, but for those of
the engine's own interface. \`x-elsewhere\` has the answers where there is no operation: at a path that is not here, or by
another method. \`HEAD\` is possible wherever \`GET\` is.`;

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

/** What is answered where there is no operation. */
const ELSEWHERE = either(
  problems([...KEYED, 'not_found', 'method_not_allowed']),
  faults({ 405: "The same of the engine's own interface." }),
);

const REQUEST_ID = 'X-Request-Id';
const SENT = z
  .string()
  .optional()
  .describe('Names the request; another one is made of what is not 1 to 128 visible ASCII characters.');
const PARAMETERS = { [REQUEST_ID]: parameters('header', z.object({ [REQUEST_ID]: SENT }))[0] };
const HEADERS = {
  [REQUEST_ID]: header('Names the request in the log, where it was refused or did something to a message.', z.string()),
};
const IDENTIFIED = { [REQUEST_ID]: { $ref: `#/components/headers/${REQUEST_ID}` } };

/** The broker's interface as OpenAPI 3.1 describes it, made from the schemas that read its requests. */
export function openApiDocument(version: string): Readonly<Record<string, unknown>> {
  const described = { paths: identified(PATHS), headers: HEADERS, elsewhere: withId(ELSEWHERE) };
  const { schemaOf, components } = jsonSchemas(schemasIn(described));
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
    paths: described.paths,
    components: {
      schemas: components,
      parameters: PARAMETERS,
      headers: described.headers,
      securitySchemes: SECURITY_SCHEMES,
    },
    'x-elsewhere': described.elsewhere,
  };
  const replaced = (_key: string, value: unknown) => (value instanceof z.ZodType ? schemaOf(value) : value);
  return objectIn(JSON.stringify(document, replaced));
}

/** Every operation with the header that any request may have, and its answers with the one that all have. */
function identified(paths: Paths) {
  return mapped(paths, (item) =>
    mapped(item, (operation) => ({
      ...operation,
      parameters: [...(operation.parameters ?? []), { $ref: `#/components/parameters/${REQUEST_ID}` }],
      responses: withId(operation.responses),
    })),
  );
}

function withId(answers: Answers) {
  return mapped(answers, (answer) => ({ ...answer, headers: { ...IDENTIFIED, ...answer.headers } }));
}

function mapped<From, To>(record: Readonly<Record<string, From>>, map: (value: From) => To): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
