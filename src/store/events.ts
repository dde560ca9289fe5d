import type { EndStatus, Outcome } from '../../machines/events.ts';
import type { LogEvent, MessageStatus } from './store.ts';

/** The events the broker itself writes into a message's log, the same in every store. */

/** The reason told when a message's claim ran out or was given up, and it is claimed anew. */
export const TAKEN_OVER = 'the broker that worked on it stopped, or lost the store';

/** How a message ends that is cancelled, and one that nobody could work on in time. */
export const CANCELLED = {
  status: 'cancelled',
  code: 'cancelled',
  error: 'The message was cancelled before it was answered.',
} as const satisfies Outcome;
export const EXPIRED = {
  status: 'expired',
  code: 'expired',
  error: 'The message waited for too long. Send it again if it still matters.',
} as const satisfies Outcome;

export function queuedEvent(messageId: string, position: number): LogEvent {
  return { name: 'queued', data: JSON.stringify({ message_id: messageId, queue_position: position }) };
}

export function processingEvent(messageId: string, attempt: number): LogEvent {
  return { name: 'processing', data: JSON.stringify({ message_id: messageId, attempt }) };
}

export function retryingEvent(messageId: string, attempt: number, reason: string): LogEvent {
  return { name: 'retrying', data: JSON.stringify({ message_id: messageId, attempt, reason }) };
}

export function endEvent(messageId: string, outcome: Outcome): LogEvent {
  return outcome.status === 'completed'
    ? { name: 'done', data: JSON.stringify({ message_id: messageId, status: outcome.status }) }
    : { name: 'error', data: JSON.stringify({ message_id: messageId, ...outcome }) };
}

/** Nothing will come any more of a message with this status. */
export function hasEnded(status: MessageStatus): status is EndStatus {
  return status !== 'queued' && status !== 'processing';
}
