import type { ServerResponse } from 'node:http';
import type { Context, Middleware } from 'koa';
import { Refusal } from '../errors.ts';
import { hasEnded } from '../store/events.ts';
import { type Dialect, EVENTS } from '../stream/dialect.ts';
import type { Feed } from '../stream/feed.ts';
import type { Hub } from '../stream/hub.ts';
import { Listener, PAGE_EVENTS } from '../stream/listener.ts';
import { encode, type Run } from '../stream/run.ts';
import type { Services } from './app.ts';
import type { Keys } from './keys.ts';
import { EVENT_ID, readStreamQuery } from './schema.ts';

const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
};

/** Where a message's events are read, with the token that opens them when keys are asked for. */
export function streamUrl(keys: Keys, queue: string, messageId: string): string {
  const token = keys.tokenFor(queue, messageId);
  const query = `user_id=${encodeURIComponent(queue)}&message_id=${encodeURIComponent(messageId)}`;
  return `/api/v1/stream?${query}${token === undefined ? '' : `&token=${token}`}`;
}

/**
 * `GET /api/v1/stream`: a message's events from `Last-Event-ID` on. Throws a `404` for an unknown message. The same in
 * another dialect is another route.
 */
export function getStream({ hub }: Services, dialect: Dialect = EVENTS): Middleware {
  return async (ctx) => {
    const query = readStreamQuery(ctx.query);
    const lastEventId = ctx.get('Last-Event-ID') || query.last_event_id || '0';
    if (!EVENT_ID.test(lastEventId)) {
      throw new Refusal(
        400,
        'invalid_last_event_id',
        'Last-Event-ID must be the id of an event of this stream: a whole number.',
      );
    }
    const { user_id, message_id } = query;
    if (!(await streamMessage(ctx, hub, user_id, message_id, Number(lastEventId), dialect))) throw unknownMessage();
  };
}

/** Answers with the events of a message after event `after`; with `204` if nothing will come. False if there is no such message. */
export async function streamMessage(
  ctx: Context,
  hub: Hub,
  queue: string,
  messageId: string,
  after: number,
  dialect: Dialect = EVENTS,
): Promise<boolean> {
  const feed = await hub.join(queue, messageId);
  try {
    const page = await feed.read(after, PAGE_EVENTS);
    if (!page) {
      hub.leave(feed);
      return false;
    }
    if (hasEnded(page.status) && after >= page.last) {
      ctx.status = 204;
      hub.leave(feed);
      return true;
    }
    answerStream(ctx, hub, feed, Math.min(after, page.last), encode(page.events, page.after), dialect);
    return true;
  } catch (error) {
    hub.leave(feed);
    throw error;
  }
}

export function unknownMessage(): Refusal {
  return new Refusal(404, 'unknown_message', 'This user has no such message, or it has been forgotten since it ended.');
}

/** Gives the response to a listener, which leaves the feed at its end. */
export function answerStream(
  ctx: Context,
  hub: Hub,
  feed: Feed,
  after: number,
  first: readonly Run[],
  dialect: Dialect = EVENTS,
): void {
  const response = beginStream(ctx);
  if (!response) {
    hub.leave(feed);
    return;
  }
  hub
    .attend(new Listener(feed, response, after, dialect).run(first))
    // The store went away: the client comes back with Last-Event-ID and misses nothing.
    .catch(() => {})
    .finally(() => {
      hub.leave(feed);
      response.end();
    });
}

/** Begins the answer as a stream of events, which is then out of Koa's hands. Undefined when only its head was asked for. */
export function beginStream(ctx: Context): ServerResponse | undefined {
  const { res } = ctx;
  ctx.respond = false;
  res.writeHead(200, STREAM_HEADERS);
  if (ctx.method !== 'HEAD') return res;
  res.end();
  return undefined;
}
