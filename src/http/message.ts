import type { Middleware } from 'koa';
import { Refusal } from '../errors.ts';
import { hasEnded } from '../store/events.ts';
import { resultOf } from '../store/result.ts';
import type { MessageStatus } from '../store/store.ts';
import type { Hub } from '../stream/hub.ts';
import { mustHaveRoom, mustNotDrain, queueFull } from './acceptance.ts';
import type { Services } from './app.ts';
import { requestIdOf } from './request-id.ts';
import { readMessagePath, readRetryQuery } from './schema.ts';
import { streamUrl, unknownMessage } from './stream.ts';

/** The end of a cancelled call is waited for this long before the answer is that it is on its way. */
const CANCEL_WITHIN_MS = 5000;

/** `GET /api/v1/queue/{user_id}/messages/{message_id}`: how it stands, and its result once there is one. */
export function getMessage({ store }: Services): Middleware {
  return async (ctx) => {
    const { queue, messageId } = readMessagePath(ctx['params']);
    const state = await store.message(queue, messageId);
    if (!state) throw unknownMessage();
    ctx.body = {
      message_id: state.id,
      user_id: queue,
      status: state.status,
      queue_position: state.position,
      attempts: state.attempts,
      queued_at: iso(state.queuedAt),
      started_at: state.startedAt === undefined ? null : iso(state.startedAt),
      ended_at: state.endedAt === undefined ? null : iso(state.endedAt),
      code: state.failure?.code ?? null,
      error: state.failure?.error ?? null,
      callback: state.callback ?? null,
      result: state.status === 'completed' ? ((await resultOf(store, queue, state)) ?? null) : null,
    };
  };
}

/** `DELETE` on the same: cancels it. */
export function deleteMessage({ store, hub }: Services): Middleware {
  return async (ctx) => {
    const { queue, messageId } = readMessagePath(ctx['params']);
    const cancelled = await store.cancel(queue, messageId, requestIdOf(ctx));
    if (!cancelled) throw unknownMessage();
    const { type } = cancelled;
    const patience = AbortSignal.timeout(CANCEL_WITHIN_MS);
    const status =
      type === 'ended' ? cancelled.status : type === 'cancelled' ? type : await endOf(hub, queue, messageId, patience);
    if (status && (type === 'ended' || status !== 'cancelled')) throw alreadyEnded(status);
    ctx.status = status ? 200 : 202;
    ctx.body = { message_id: messageId, status: status ?? 'cancelling' };
  };
}

/** `POST …/retry`: puts a failed message at the end of its queue again. */
export function retryMessage(services: Services): Middleware {
  const { store, users, sweeper, metrics, keys } = services;
  return async (ctx) => {
    mustNotDrain(services);
    await mustHaveRoom(services);
    const { queue, messageId } = readMessagePath(ctx['params']);
    const only = readRetryQuery(ctx.query).only;
    const requeued = await store.requeue(queue, messageId, only, requestIdOf(ctx));
    switch (requeued?.type) {
      case undefined:
        throw unknownMessage();
      case 'not_failed':
        throw new Refusal(409, 'not_failed', `Only a failed message can be retried; this one is ${requeued.status}.`);
      case 'not_undelivered':
        throw new Refusal(409, 'not_undelivered', 'Only a callback that was given up can be sent again.');
      case 'full':
        throw queueFull(requeued.length);
      case 'redelivering':
        ctx.status = 202;
        ctx.body = { status: 'redelivering', message_id: messageId };
        return;
      case 'queued':
        sweeper.accepted();
        metrics.traffic.accepted();
        users.hint(queue);
        ctx.status = 202;
        ctx.body = {
          status: 'queued',
          message_id: messageId,
          queue_position: requeued.position,
          stream_url: streamUrl(keys, queue, messageId),
        };
    }
  };
}

/** A time of the store as the interface tells it. */
export function iso(ms: number): string {
  return new Date(ms).toISOString();
}

/** How the message ends; undefined when `patience` aborts before, or the broker stops. Throws Refusal if it is unknown. */
export async function endOf(
  hub: Hub,
  queue: string,
  messageId: string,
  patience: AbortSignal,
): Promise<MessageStatus | undefined> {
  const feed = await hub.join(queue, messageId);
  try {
    while (!patience.aborted && !feed.closed) {
      const { version } = feed;
      const page = await feed.read(0, 0);
      if (!page) throw unknownMessage();
      if (hasEnded(page.status)) return page.status;
      await feed.news(version, patience);
    }
    return undefined;
  } finally {
    hub.leave(feed);
  }
}

function alreadyEnded(status: MessageStatus): Refusal {
  return new Refusal(409, 'already_ended', `This message has already ended: it is ${status}.`);
}
