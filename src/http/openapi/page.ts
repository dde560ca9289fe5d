import { z } from 'zod';
import { ANYONE, type Answers, either, header, type Operation, type Paths, parameters } from './operation.ts';
import { ANYWHERE, KEYED, problems } from './problem.ts';

const ETAG = { ETag: header('Names this version.', z.string()) };
const unchanged: Answers = { '304': { description: 'It is what `If-None-Match` names.', headers: ETAG } };

function page(operationId: string, summary: string): Operation {
  return {
    operationId,
    tags: ['Documents'],
    summary,
    description: 'The page holds no data: it asks for the key, and keeps it for its tab only.',
    security: ANYONE,
    responses: either(
      { '200': { description: 'The page.', headers: ETAG, content: { 'text/html': { schema: z.string() } } } },
      unchanged,
      problems(ANYWHERE),
    ),
  };
}

function file(operationId: string, page: string, types: readonly string[], example: string): Operation {
  const content = Object.fromEntries(types.map((type) => [type, { schema: z.unknown() }]));
  return {
    operationId,
    tags: ['Documents'],
    summary: `Get a file of ${page}`,
    security: ANYONE,
    parameters: parameters('path', z.object({ file: z.string().describe('Its name.') }), { file: example }),
    responses: either(
      { '200': { description: 'The file.', headers: ETAG, content } },
      unchanged,
      problems([...ANYWHERE, 'not_found']),
    ),
  };
}

const getOpenApi: Operation = {
  operationId: 'getOpenApi',
  tags: ['Documents'],
  summary: 'Get this document',
  responses: either(
    {
      '200': {
        description: 'OpenAPI 3.1.',
        headers: ETAG,
        content: { 'application/json': { schema: z.looseObject({ openapi: z.string() }) } },
      },
    },
    unchanged,
    problems(KEYED),
  ),
};

const getRoot: Operation = {
  operationId: 'getRoot',
  tags: ['Documents'],
  summary: 'Go to the dashboard',
  security: ANYONE,
  responses: either(
    { '302': { description: 'To `dashboard`.', headers: { Location: header('The dashboard.', z.string()) } } },
    problems(ANYWHERE),
  ),
};

export const PAGE_PATHS: Paths = {
  '/': { get: getRoot },
  '/openapi.json': { get: getOpenApi },
  '/docs': { get: page('getDocs', 'Read this document') },
  '/docs/{file}': { get: file('getDocsFile', '/docs', ['text/javascript', 'text/css'], 'docs.css') },
  '/dashboard': { get: page('getDashboard', 'See the brokers at work') },
  '/dashboard/{file}': {
    get: file(
      'getDashboardFile',
      '/dashboard',
      ['text/javascript', 'text/css', 'image/svg+xml', 'application/json'],
      'charts.json',
    ),
  },
};
