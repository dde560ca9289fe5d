import type { Middleware } from 'koa';
import { v7 as uuid } from 'uuid';
import { writeDetails } from '../callbacks/details.ts';
import { Refusal } from '../errors.ts';
import { queuedEvent } from '../store/events.ts';
import type { Callback } from '../store/outbox.ts';
import type { Enqueued } from '../store/store.ts';
import { encode } from '../stream/frame.ts';
import type { Services } from './app.ts';
import { type MessageBody, queueOf, readMessage } from './schema.ts';
import { answerStream, streamMessage, streamUrl } from './stream.ts';

/** A full queue frees a place when a message ends: about one worker call. */
const FULL_RETRY_AFTER_SECONDS = 5;
const MAX_KEY_CHARS = 256;

type Admitted = Extract<Enqueued, { type: 'queued' | 'duplicate' }>;

/** `POST /api/v1/message`: durable before the answer, which is `202` or, when asked for, the event stream itself. */
export function postMessage(services: Services): Middleware {
  const { store, users, hub, sweeper, log } = services;
  return async (ctx) => {
    mustNotDrain(services);
    const body = readMessage(ctx.request.body);
    const queue = queueOf(body);
    await mustHaveRoom(services, body.if_busy === 'interrupt' ? queue : undefined);
    const id = uuid();
    const message = {
      id,
      queue,
      payload: JSON.stringify(workerRequest(body)),
      deduplicationKeys: deduplicationKeys(body, ctx.get('Idempotency-Key')),
      ifBusy: body.if_busy ?? 'enqueue',
      callback: callbackOf(services, body),
    };
    // A stream may stay open for long, and so would what it was asked with.
    ctx.request.body = undefined;
    ctx.request.rawBody = '';
    const streamed = ctx.accepts('json', 'text/event-stream') === 'text/event-stream';
    // Joined before the message exists, so that none of its events can be missed.
    const feed = streamed ? await hub.join(queue, id) : undefined;
    let enqueued: Admitted;
    try {
      enqueued = admitted(await store.enqueue(message));
    } catch (error) {
      if (feed) hub.leave(feed);
      throw error;
    }
    const messageId = enqueued.type === 'queued' ? id : enqueued.id;
    log.info(
      {
        request_id: ctx.state['requestId'],
        message_id: messageId,
        user_id: body.user_id,
        queue,
        duplicate: enqueued.type === 'duplicate',
      },
      'accepted',
    );
    if (enqueued.type === 'queued') {
      sweeper.accepted();
      users.hint(queue);
    }
    if (feed && enqueued.type === 'queued') {
      feed.accepted(enqueued.position);
      return answerStream(ctx, hub, feed, 0, [encode(queuedEvent(id, enqueued.position), 1)]);
    }
    if (feed) {
      hub.leave(feed);
      // A duplicate of what has been forgotten since it ended is answered as if no stream had been asked for.
      if (await streamMessage(ctx, hub, queue, messageId, 0)) return;
    }
    ctx.status = enqueued.type === 'queued' ? 202 : 200;
    ctx.body = {
      status: enqueued.type === 'queued' ? 'queued' : enqueued.status,
      message_id: messageId,
      queue_position: enqueued.position,
      stream_url: streamUrl(queue, messageId),
      ...(enqueued.type === 'duplicate' ? { duplicate: true } : {}),
    };
  };
}

/** Refuses what would be accepted while the broker stops. */
export function mustNotDrain({ accepting }: Services): void {
  if (!accepting()) {
    throw new Refusal(503, 'draining', 'This broker is stopping. Nothing was accepted; send it again.', {
      retryAfterSeconds: 2,
    });
  }
}

/** Refuses what would be accepted while the store is full. `interrupted`: a queue that will be emptied for it. */
export async function mustHaveRoom(services: Services, interrupted?: string): Promise<void> {
  const { store, sweeper, maxWaiting } = services;
  // The estimate runs high between two looks, so it is looked again before anybody is refused.
  if (sweeper.waiting >= maxWaiting && (await sweeper.sweep()).counts.waiting >= maxWaiting) {
    if (interrupted !== undefined && (await store.queue(interrupted)).waiting.length > 0) return;
    const detail = `${maxWaiting} messages wait already (MAX_WAITING_MESSAGES). Nothing was accepted; send it again later.`;
    throw new Refusal(503, 'store_full', detail, { retryAfterSeconds: FULL_RETRY_AFTER_SECONDS });
  }
}

function admitted(enqueued: Enqueued): Admitted {
  switch (enqueued.type) {
    case 'full':
      throw queueFull(enqueued.length);
    case 'busy':
      throw new Refusal(
        409,
        'busy',
        'This user has a message waiting or running, and if_busy is "reject". Nothing was accepted; send it again later.',
      );
    case 'queued':
    case 'duplicate':
      return enqueued;
  }
}

/** Where the message's end is told, if the client wants that. */
function callbackOf({ endpoints, callbackRetryMs }: Services, body: MessageBody): Callback | undefined {
  const { callback_url: url, user_id, client_message_id = null } = body;
  if (url == null) return undefined;
  const objection = endpoints.objection(url);
  if (objection) {
    const errors = [{ path: 'callback_url', message: objection }];
    throw new Refusal(422, 'invalid_fields', `callback_url ${objection}.`, { errors });
  }
  const details = writeDetails({ kind: 'result', user_id, client_message_id });
  return { url, details, from: 'end', keepMs: callbackRetryMs };
}

/** The queue takes no more messages. */
export function queueFull(length: number): Refusal {
  return new Refusal(
    429,
    'queue_full',
    `This user already has ${length} messages waiting. Send it again when one of them has ended.`,
    { retryAfterSeconds: FULL_RETRY_AFTER_SECONDS },
  );
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

/** Names under which the same message is accepted once (G3). JSON keeps ids apart whatever characters they hold. */
function deduplicationKeys(body: MessageBody, idempotencyKey: string): readonly string[] {
  if (idempotencyKey.length > MAX_KEY_CHARS) {
    throw new Refusal(
      400,
      'invalid_idempotency_key',
      `Idempotency-Key must be at most ${MAX_KEY_CHARS} characters long.`,
    );
  }
  const keys: string[] = [];
  if (body.client_message_id)
    keys.push(JSON.stringify(['client', body.user_id, body.client_id, body.client_message_id]));
  if (idempotencyKey) keys.push(JSON.stringify(['header', body.user_id, idempotencyKey]));
  return keys;
}
