import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { newId } from '../ids.ts';
import { writeLine } from '../log.ts';
import type { Enqueued, NewMessage } from '../store/store.ts';
import type { Feed } from '../stream/feed.ts';
import { storyOf, type Trace, traceOf } from '../trace.ts';
import type { Services } from './app.ts';
import { requestIdOf } from './request-id.ts';

/** A full queue frees a place when a message ends: about one worker call. */
const FULL_RETRY_AFTER_SECONDS = 5;
const MAX_KEY_CHARS = 256;

/** A message that came by one of the doors. */
export type Incoming = Omit<NewMessage, 'id' | 'trace'> & { readonly userId: string };

type Admitted = Extract<Enqueued, { type: 'queued' | 'duplicate' }>;

/** What became of a message: its id (of a duplicate, the first one's), and a feed of it if one was asked for and it is new. */
export type Accepted = {
  readonly queue: string;
  readonly messageId: string;
  readonly enqueued: Admitted;
  readonly feed: Feed | undefined;
};

/**
 * Accepts a message, by whichever door it came: durable and deduplicated when this resolves, its queue at work. With
 * `streamed`, joined to a feed that misses nothing, which is to be left. Throws Refusal and StoreUnavailable.
 */
export async function accept(
  { store, users, hub, sweeper, bodies, metrics, log }: Services,
  ctx: Context,
  message: Incoming,
  streamed: boolean,
): Promise<Accepted> {
  const id = newId();
  const { userId, queue, payload, deduplicationKeys, ifBusy, callback } = message;
  const trace: Trace = {
    ...traceOf(requestIdOf(ctx), ctx.get('traceparent'), ctx.get('tracestate')),
    userId: userId === queue ? undefined : userId,
  };
  const stored: NewMessage = { id, queue, payload, trace, deduplicationKeys, ifBusy, callback };
  // Joined before the message exists, so that none of its events can be missed.
  const feed = streamed ? await hub.join(queue, id) : undefined;
  const enqueue = async (begin: boolean): Promise<Admitted> => {
    const enqueued = admitted(await store.enqueue(stored, begin));
    bodies.release(ctx);
    const isNew = enqueued.type === 'queued';
    const messageId = isNew ? id : enqueued.id;
    writeLine(log, 'info', 'accepted', () => ({ ...storyOf({ queue, messageId, trace }), duplicate: !isNew }));
    if (!isNew) return enqueued;
    if (!enqueued.claimed) sweeper.accepted();
    metrics.traffic.accepted();
    feed?.accepted(enqueued.position);
    return enqueued;
  };
  try {
    // While the store does not answer, nobody is to wait for what does not arrive.
    const enqueued = await users.accept(queue, enqueue, sweeper.state === 'whole');
    if (enqueued.type === 'queued') return { queue, messageId: id, enqueued, feed };
    if (feed) hub.leave(feed);
    return { queue, messageId: enqueued.id, enqueued, feed: undefined };
  } catch (error) {
    if (feed) hub.leave(feed);
    throw error;
  }
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

/** A name under which the same message is accepted once (G3): its `Idempotency-Key`, if it has one. */
export function headerKeys(ctx: Context, userId: string): readonly string[] {
  const key = ctx.get('Idempotency-Key');
  if (key.length > MAX_KEY_CHARS) {
    const detail = `Idempotency-Key must be at most ${MAX_KEY_CHARS} characters long.`;
    throw new Refusal(400, 'invalid_idempotency_key', detail);
  }
  return key ? [JSON.stringify(['header', userId, key])] : [];
}

/** The queue takes no more messages. */
export function queueFull(length: number): Refusal {
  const detail = `This user already has ${length} messages waiting. Send it again when one of them has ended.`;
  return new Refusal(429, 'queue_full', detail, { retryAfterSeconds: FULL_RETRY_AFTER_SECONDS });
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
