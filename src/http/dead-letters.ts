import type { Middleware } from 'koa';
import { cursorOf, placeOf } from '../cursor.ts';
import { Refusal } from '../errors.ts';
import type { DeadLetter } from '../store/store.ts';
import type { Services } from './app.ts';
import { iso } from './message.ts';
import { requestIdOf } from './request-id.ts';
import { readDiscardQuery, readMessagePath, readPageQuery } from './schema.ts';
import { unknownMessage } from './stream.ts';

/** `GET /api/v1/dead-letters`: failed messages that are still kept, newest first, in pages. `tell`: how their faults are told. */
export function getDeadLetters(
  { store }: Services,
  tell: (letter: DeadLetter) => string = ({ error }) => error,
): Middleware {
  return async (ctx) => {
    const { limit, cursor } = readPageQuery(ctx.query);
    const letters = await store.deadLetters(limit, cursor ? placeOf(cursor) : undefined);
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
        error: tell(letter),
      })),
      next_cursor: last ? cursorOf(last) : null,
    };
  };
}

/** `DELETE /api/v1/dead-letters/{message_id}?user_id=…`: lists it no more. The message stays until it is forgotten. */
export function deleteDeadLetter({ store }: Services): Middleware {
  return async (ctx) => {
    const { queue, messageId } = readMessagePath({ ...ctx['params'], user_id: ctx.query['user_id'] });
    const { only } = readDiscardQuery(ctx.query);
    const discarded = await store.discard(queue, messageId, only, requestIdOf(ctx));
    if (discarded === undefined) throw unknownMessage();
    if (!discarded)
      throw new Refusal(409, 'not_dead', 'Only a failed message or a callback that was given up can be discarded.');
    ctx.body = { message_id: messageId, discarded: true };
  };
}
