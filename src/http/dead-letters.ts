import type { Middleware } from 'koa';
import type { Services } from './app.ts';
import { iso } from './message.ts';
import { readPageQuery } from './schema.ts';

/** `GET /api/v1/dead-letters`: failed messages that are still kept, newest first, in pages. */
export function getDeadLetters({ store }: Services): Middleware {
  return async (ctx) => {
    const { limit, cursor } = readPageQuery(ctx.query);
    const [endedAt = '', ...messageId] = cursor?.split('~') ?? [];
    const after = cursor ? { endedAt: Number(endedAt), messageId: messageId.join('~') } : undefined;
    const letters = await store.deadLetters(limit, after);
    const last = letters.length === limit ? letters.at(-1) : undefined;
    ctx.body = {
      dead_letters: letters.map((letter) => ({
        kind: letter.kind,
        message_id: letter.messageId,
        user_id: letter.queue,
        attempts: letter.attempts,
        queued_at: iso(letter.queuedAt),
        failed_at: iso(letter.endedAt),
        code: letter.code,
        error: letter.error,
      })),
      next_cursor: last ? `${last.endedAt}~${last.messageId}` : null,
    };
  };
}
