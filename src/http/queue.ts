import type { Middleware } from 'koa';
import type { Services } from './app.ts';
import { iso } from './message.ts';
import { requestIdOf } from './request-id.ts';
import { readQueueId } from './schema.ts';

/** `GET /api/v1/queue/{user_id}`: what waits and what is being worked on. */
export function getQueue({ store, users }: Services): Middleware {
  return async (ctx) => {
    const userId = readQueueId(ctx['params']);
    const { processing, waiting, now } = await store.queue(userId);
    const [oldest] = waiting;
    const ageOf = (queuedAt: number) => Math.max(0, now - queuedAt) / 1000;
    ctx.body = {
      user_id: userId,
      queue_length: waiting.length,
      is_processing: processing !== undefined,
      current_message_id: processing?.id ?? null,
      state: users.state(userId) ?? (processing ? 'streaming' : 'idle'),
      oldest_wait_seconds: oldest ? ageOf(oldest.queuedAt) : 0,
      messages: [
        ...(processing
          ? [
              {
                message_id: processing.id,
                status: 'processing',
                queue_position: 0,
                queued_at: iso(processing.queuedAt),
                age_seconds: ageOf(processing.queuedAt),
                attempts: processing.attempt,
              },
            ]
          : []),
        ...waiting.map(({ id, queuedAt }, index) => ({
          message_id: id,
          status: 'queued',
          queue_position: index + 1,
          queued_at: iso(queuedAt),
          age_seconds: ageOf(queuedAt),
          attempts: 0,
        })),
      ],
    };
  };
}

/** `DELETE /api/v1/queue/{user_id}`: cancels all that wait. */
export function deleteQueue({ store }: Services): Middleware {
  return async (ctx) => {
    const queue = readQueueId(ctx['params']);
    ctx.body = { user_id: queue, cancelled: await store.clear(queue, requestIdOf(ctx)) };
  };
}
