import type { Context, Middleware } from 'koa';
import { writeDetails } from '../callbacks/details.ts';
import { Refusal } from '../errors.ts';
import { queuedEvent } from '../store/events.ts';
import type { Callback } from '../store/outbox.ts';
import { encode } from '../stream/run.ts';
import { accept, headerKeys, type Incoming, mustHaveRoom, mustNotDrain } from './acceptance.ts';
import type { Services } from './app.ts';
import { takeBody } from './body.ts';
import { type MessageBody, queueOf, readMessage } from './schema.ts';
import { answerStream, streamMessage, streamUrl } from './stream.ts';

const EVENT_STREAM = 'text/event-stream';

/** `POST /api/v1/message`: durable before the answer, which is `202` or, when asked for, the event stream itself. */
export function postMessage(services: Services): Middleware {
  const { hub, keys } = services;
  return async (ctx) => {
    mustNotDrain(services);
    const message = messageOf(services, ctx);
    const { queue } = message;
    await mustHaveRoom(services, message.ifBusy === 'interrupt' ? queue : undefined);
    const streamed = wantsStream(ctx);
    const { messageId, enqueued, feed } = await accept(services, ctx, message, streamed);
    if (feed) return answerStream(ctx, hub, feed, 0, encode([queuedEvent(messageId, enqueued.position)], 0));
    // A duplicate of what has been forgotten since it ended is answered as if no stream had been asked for.
    if (streamed && (await streamMessage(ctx, hub, queue, messageId, 0))) return;
    ctx.status = enqueued.type === 'queued' ? 202 : 200;
    ctx.body = {
      status: enqueued.type === 'queued' ? 'queued' : enqueued.status,
      message_id: messageId,
      queue_position: enqueued.position,
      stream_url: streamUrl(keys, queue, messageId),
      ...(enqueued.type === 'duplicate' ? { duplicate: true } : {}),
    };
  };
}

/** One thing that is named alone needs no weighing, nor does what names no kind of text. */
function wantsStream(ctx: Context): boolean {
  const accepted = ctx.get('Accept');
  if (accepted === EVENT_STREAM) return true;
  return /text\//i.test(accepted) && ctx.accepts('json', EVENT_STREAM) === EVENT_STREAM;
}

/** The message that a request asks for. Its body, which may be large, is kept nowhere. */
function messageOf(services: Services, ctx: Context): Incoming {
  const body = readMessage(takeBody(ctx));
  return {
    queue: queueOf(body, body.org_id),
    userId: body.user_id,
    payload: JSON.stringify(workerRequest(body)),
    deduplicationKeys: [...clientKeys(body), ...headerKeys(ctx, body.user_id)],
    ifBusy: body.if_busy ?? 'enqueue',
    callback: callbackOf(services, body),
  };
}

/** Where the message's end is told, if the client wants that. */
function callbackOf({ endpoints }: Services, body: MessageBody): Callback | undefined {
  const { callback_url: url, user_id, client_message_id = null } = body;
  if (url == null) return undefined;
  const objection = endpoints.objection(url);
  if (objection) {
    const errors = [{ path: 'callback_url', message: objection }];
    throw new Refusal(422, 'invalid_fields', `callback_url ${objection}.`, { errors });
  }
  const details = writeDetails({ kind: 'result', user_id, client_message_id });
  return { url, details, from: 'end' };
}

/** What the worker is sent: the client's fields, the organisation under the worker's name for it. */
function workerRequest(body: MessageBody): Record<string, unknown> {
  return {
    client_id: body.client_id,
    user_id: body.user_id,
    message: body.message ?? undefined,
    message_type: body.message_type,
    org: body.org_id,
    audio_base64: body.audio_base64 ?? undefined,
    audio_format: body.audio_format ?? undefined,
    chat_type: body.chat_type ?? undefined,
    chat_id: body.chat_id ?? undefined,
    thread_id: body.thread_id ?? undefined,
    speaker: body.speaker ?? undefined,
    addressed_to_bot: body.addressed_to_bot ?? undefined,
    response_language_hint: body.response_language_hint ?? undefined,
  };
}

/** A name under which the same message is accepted once (G3). JSON keeps ids apart whatever characters they hold. */
function clientKeys({ user_id, client_id, client_message_id }: MessageBody): readonly string[] {
  return client_message_id ? [JSON.stringify(['client', user_id, client_id, client_message_id])] : [];
}
