import { z } from 'zod';

/** Whatever a delivery needs to know of its message, as it is kept with it. */
const details = z.discriminatedUnion('kind', [
  /** `callback_url` of `POST /api/v1/message`: its end is told. */
  z.object({ kind: z.literal('result'), user_id: z.string(), client_message_id: z.string().nullable() }),
  /** `progress_callback_url` of `POST /api/v1/chat/callback`: what the worker itself would tell. */
  z.object({
    kind: z.literal('engine'),
    user_id: z.string(),
    message_key: z.string(),
    chat_id: z.union([z.string(), z.number()]).optional(),
    thread_id: z.union([z.string(), z.number()]).optional(),
    mode: z.enum(['iteration', 'sentence', 'periodic', 'complete']),
    throttle_seconds: z.number(),
    /** Which key the client called with: see `tokens.ts`. */
    key: z.string(),
  }),
]);

export type Details = z.infer<typeof details>;
export type EngineDetails = Extract<Details, { kind: 'engine' }>;
export type ProgressMode = EngineDetails['mode'];

export function writeDetails(value: Details): string {
  return JSON.stringify(value);
}

export function readDetails(text: string): Details {
  return details.parse(JSON.parse(text));
}
