import { z } from 'zod';
import type { MessageState, Store } from './store.ts';

/** The `response` of the worker's last event: what is known of it, and whatever else there is. */
const completeEvent = z.object({ response: z.record(z.string(), z.unknown()) });

/** What the worker answered, in its last event, as it is or was logged; undefined for any other event. */
export function responseIn(data: string): Record<string, unknown> | undefined {
  return completeEvent.safeParse(JSON.parse(data)).data?.response;
}

/** What the worker answered to a message that has completed: in its log that stands just before the end. */
export async function resultOf(
  store: Store,
  queue: string,
  { id, last }: MessageState,
): Promise<Record<string, unknown> | undefined> {
  const page = await store.read(queue, id, last - 2, 1);
  const [event] = page?.events ?? [];
  return event && responseIn(event.data);
}
