import type { Context, Middleware } from 'koa';
import { writeDetails } from '../../callbacks/details.ts';
import { queuedEvent } from '../../store/events.ts';
import { resultOf } from '../../store/result.ts';
import type { MessageState } from '../../store/store.ts';
import { encode } from '../../stream/run.ts';
import { type Accepted, accept, headerKeys, type Incoming, mustHaveRoom, mustNotDrain } from '../acceptance.ts';
import type { Services } from '../app.ts';
import { takeBody } from '../body.ts';
import { keyOf } from '../keys.ts';
import { endOf } from '../message.ts';
import { answerStream, streamMessage } from '../stream.ts';
import { engineDialect, KEPT } from './dialect.ts';
import { EngineFault } from './fault.ts';
import { type ChatBody, queueOf, readCallback, readChat, requestOf } from './schema.ts';

/** `POST /api/v1/chat/stream`: the engine's event stream, from the message's turn on. */
export function postChatStream(services: Services): Middleware {
  const { hub, origins } = services;
  return async (ctx) => {
    const { queue, messageId, enqueued, feed } = await take(services, ctx, chatMessage, true);
    const dialect = engineDialect(origins);
    if (feed) {
      const ahead = await aheadOf(services, queue, messageId, enqueued.position);
      const first = ahead ? encode([queuedEvent(messageId, ahead)], 0) : [];
      return answerStream(ctx, hub, feed, 1, first, dialect);
    }
    if (!(await streamMessage(ctx, hub, queue, messageId, 0, dialect))) throw forgotten();
  };
}

/** `POST /api/v1/chat`: held open until the message's turn has come and gone, then the engine's final JSON. */
export function postChat(services: Services): Middleware {
  return async (ctx) => {
    const { queue, messageId } = await take(services, ctx, chatMessage, false);
    const gone = new AbortController();
    ctx.res.once('close', () => gone.abort());
    const status = await endOf(services.hub, queue, messageId, gone.signal);
    if (gone.signal.aborted) return;
    if (!status) {
      throw new EngineFault(503, 'draining', KEPT, { code: 'DRAINING', retryAfterSeconds: 2 });
    }
    const state = await services.store.message(queue, messageId);
    if (!state) throw forgotten();
    if (state.status !== 'completed') throw failureOf(state);
    const response = services.origins.rewrite((await resultOf(services.store, queue, state)) ?? {});
    ctx.body = { message_id: messageId, ...response };
  };
}

/** `POST /api/v1/chat/callback`: accepted at once; what the engine would post to the callback URL the broker posts. */
export function postChatCallback(services: Services): Middleware {
  return async (ctx) => {
    const { messageId } = await take(services, ctx, toldMessage, false);
    ctx.status = 202;
    ctx.body = { message_id: messageId };
  };
}

/** Accepts what a request asks for. Of its body nothing is kept, however long the answer takes. */
async function take(
  services: Services,
  ctx: Context,
  read: (services: Services, ctx: Context) => Incoming,
  streamed: boolean,
): Promise<Accepted> {
  mustNotDrain(services);
  const message = read(services, ctx);
  await mustHaveRoom(services);
  return accept(services, ctx, message, streamed);
}

/** The message that `/chat` or `/chat/stream` is asked for. */
function chatMessage(_services: Services, ctx: Context): Incoming {
  return messageOf(ctx, readChat(takeBody(ctx)));
}

/** The message that `/chat/callback` is asked for, and where it is told of. */
function toldMessage({ endpoints, tokens }: Services, ctx: Context): Incoming {
  const body = readCallback(takeBody(ctx));
  const { progress_callback_url: url, message_key, client_id, user_id } = body;
  const objection = endpoints.objection(url);
  if (objection) throw new EngineFault(400, 'invalid_fields', `progress_callback_url ${objection}`);
  const details = writeDetails({
    kind: 'engine',
    user_id,
    message_key,
    ...(body.chat_id == null ? {} : { chat_id: body.chat_id }),
    ...(body.thread_id == null ? {} : { thread_id: body.thread_id }),
    mode: body.progress_mode ?? 'iteration',
    throttle_seconds: body.throttleSeconds,
    key: tokens.keep(keyOf(ctx) ?? ''),
  });
  const message = messageOf(ctx, body);
  return {
    ...message,
    deduplicationKeys: [JSON.stringify(['key', client_id, message_key]), ...message.deduplicationKeys],
    callback: { url, details, from: 'start' },
  };
}

function messageOf(ctx: Context, body: ChatBody): Incoming {
  return {
    queue: queueOf(body),
    userId: body.user_id,
    payload: JSON.stringify(requestOf(body)),
    deduplicationKeys: headerKeys(ctx, body.user_id),
    ifBusy: 'enqueue',
    callback: undefined,
  };
}

/** How many turns come before this one, that of the message being worked on included. */
async function aheadOf({ store }: Services, queue: string, messageId: string, position: number): Promise<number> {
  try {
    const { processing } = await store.queue(queue);
    return processing && processing.id !== messageId ? position : position - 1;
  } catch {
    // It is accepted, whatever happens now: what is told in passing is not worth a fault.
    return position - 1;
  }
}

function forgotten(): EngineFault {
  return new EngineFault(404, 'unknown_message', 'The message was answered before, and has been forgotten since.');
}

/** The request was in order: its message was accepted, and failed. */
const FAILED = 'message_failed';

/** The faults of a request that the engine finds only when it reads it, by what it says of them (recording 14). */
const VALIDATION = /is required|are required|required when/;
const TRANSCRIPTION = /^(Unsupported audio format|Transcription )/;

/** A failure as `/chat` of the engine answers it. */
function failureOf({ failure }: MessageState): EngineFault {
  const { code = 'failed', error: message = 'The message failed.' } = failure ?? {};
  if (code !== 'worker_error' && code !== 'worker_rejected') {
    return new EngineFault(502, FAILED, 'The engine did not answer', { code: code.toUpperCase(), message });
  }
  if (VALIDATION.test(message))
    return new EngineFault(400, FAILED, 'ValidationError', { code: 'VALIDATION_ERROR', message });
  if (TRANSCRIPTION.test(message)) {
    return new EngineFault(400, FAILED, 'AudioTranscriptionError', { code: 'AUDIO_TRANSCRIPTION_ERROR', message });
  }
  return new EngineFault(502, FAILED, 'ClaudeAPIError', { code: 'CLAUDE_API_ERROR', message });
}
