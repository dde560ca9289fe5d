import { z } from 'zod';
import { type Answer, type Answers, header } from './operation.ts';

/** Every fault that the broker tells of in its own words: its status, and what it means. */
const PROBLEMS = {
  malformed_request: [400, 'This is no HTTP/1.1 request.'],
  malformed_path: [400, 'The path is not valid percent-encoding.'],
  malformed_json: [400, 'The body is not valid JSON, or empty.'],
  malformed_encoding: [400, 'The body is not what its `Content-Encoding` says.'],
  body_incomplete: [400, 'The body ended early.'],
  invalid_last_event_id: [400, '`Last-Event-ID` is no whole number.'],
  invalid_idempotency_key: [400, '`Idempotency-Key` is longer than 256 characters.'],
  missing_key: [401, 'There is no key.'],
  invalid_token: [401, 'The `token` does not open this stream, or no more: ask for a new `stream_url`.'],
  invalid_key: [403, 'The key is not one of `BROKER_API_KEY`.'],
  not_found: [404, 'There is nothing at this path.'],
  unknown_message: [404, 'This queue has no such message, or it has been forgotten since it ended.'],
  method_not_allowed: [405, 'The path knows other methods: they are in `Allow`.'],
  busy: [409, 'A message waits or runs, and `if_busy` is `reject`. Nothing was accepted.'],
  already_ended: [409, 'The message has already ended.'],
  not_failed: [409, 'The message has not failed, and only a failed one can be retried.'],
  not_dead: [409, 'Only a failed message, or a callback that was given up, can be discarded.'],
  not_undelivered: [409, 'Only a callback that was given up can be sent again.'],
  body_too_large: [413, 'The body is larger than `MAX_BODY_BYTES`.'],
  wrong_content_type: [415, 'The body is not said to be JSON in UTF-8, plain or compressed by gzip, deflate or br.'],
  invalid_fields: [422, '`errors` names every wrong field.'],
  queue_full: [429, 'The queue has `MAX_QUEUE_LENGTH` messages waiting. Nothing was accepted.'],
  headers_too_large: [431, 'Path and headers are larger than 16 kB.'],
  internal_error: [500, 'The broker failed; its log tells why, under the `X-Request-Id`.'],
  store_unavailable: [503, 'The store does not answer. Send it again, a message with the same `client_message_id`.'],
  draining: [503, 'The broker stops. Nothing was accepted; send it again.'],
  bodies_full: [503, 'Large bodies fill the memory there is for them. Nothing was accepted; send it again.'],
  store_full: [503, '`MAX_WAITING_MESSAGES` wait in the whole store. Nothing was accepted.'],
} as const satisfies Readonly<Record<string, readonly [status: number, meaning: string]>>;

type ProblemCode = keyof typeof PROBLEMS;

const problem = z
  .object({
    type: z.literal('about:blank'),
    title: z.string().describe('The name of the status.'),
    status: z.int(),
    code: z.string().describe('Stable: what a program may go by.'),
    detail: z.string().describe('A sentence that says what to do.'),
    errors: z
      .array(z.object({ path: z.string().describe('The field; empty for the whole body.'), message: z.string() }))
      .optional()
      .describe('With `invalid_fields`.'),
  })
  .meta({ id: 'Problem', description: 'A fault, as RFC 9457 has it.' });

/** Told at any path. */
export const ANYWHERE = ['malformed_request', 'headers_too_large', 'internal_error'] as const;
/** Told wherever a key is asked for. */
export const KEYED = [...ANYWHERE, 'malformed_path', 'missing_key', 'invalid_key'] as const;
/** Told wherever a message is accepted. */
export const INTAKE = ['draining', 'store_full', 'store_unavailable', 'queue_full'] as const;

/** The answers that tell of these faults. */
export function problems(codes: readonly ProblemCode[]): Answers {
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code][0]);
  return Object.fromEntries([...byStatus].map(([status, same]) => [status, answerOf(status, same)]));
}

function answerOf(status: number, codes: readonly ProblemCode[]): Answer {
  const told = z.looseObject({ status: z.literal(status), code: z.enum(codes) });
  return {
    description: codes.map((code) => `- \`${code}\`: ${PROBLEMS[code][1]}`).join('\n'),
    headers: headersOf(status),
    content: { 'application/problem+json': { schema: problem.and(told) } },
  };
}

/** What comes with a fault besides its body. */
export function headersOf(status: number): NonNullable<Answer['headers']> {
  switch (status) {
    case 401:
      return { 'WWW-Authenticate': header('How to authenticate.', z.literal('Bearer')) };
    case 405:
      return { Allow: header('The methods that the path knows.', z.string()) };
    case 429:
    case 503:
      return { 'Retry-After': header('Try again after so many seconds.', z.int().min(0)) };
    default:
      return {};
  }
}
