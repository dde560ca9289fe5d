import type { EventSourceMessage } from 'eventsource-parser';
import { clientFault } from './error.ts';
import { anything, either, type Guard, number, type Other, object, oneOf, parseJson, text } from './guard.ts';
import { type Result, result } from './message.ts';

/** Id in the message's log, from 1 on; undefined for what is told in passing and not stored. */
type Id = { readonly id: number | undefined };

/** The message waits: told first, and again when its position changes. */
export type QueuedEvent = Id & {
  readonly type: 'queued';
  readonly message_id: string;
  /** 1: it is next. */
  readonly queue_position: number;
};

/** The engine is being called. */
export type ProcessingEvent = Id & {
  readonly type: 'processing';
  readonly message_id: string;
  readonly attempt: number;
};

/** The engine said something. */
export type WorkerEvent = Id & {
  readonly type: 'worker';
  /** The engine's JSON, byte for byte. */
  readonly data: string;
  /** The same, parsed; undefined when it is none of the kinds known here. */
  readonly engine: EngineEvent | undefined;
};

/** The engine is called again: what it said before is void. */
export type RetryingEvent = Id & {
  readonly type: 'retrying';
  readonly message_id: string;
  readonly attempt: number;
  readonly reason: string;
};

/** The reply is whole. Last. */
export type DoneEvent = Id & {
  readonly type: 'done';
  readonly message_id: string;
  readonly status: 'completed';
};

/** There will be no reply. Last. */
export type ErrorEvent = Id & {
  readonly type: 'error';
  readonly message_id: string;
  readonly status: 'failed' | 'cancelled' | 'expired' | Other;
  /** Stable (docs/api.md). */
  readonly code: string;
  /** A sentence. */
  readonly error: string;
};

/** What happens to a message. */
export type BrokerEvent = QueuedEvent | ProcessingEvent | WorkerEvent | RetryingEvent | DoneEvent | ErrorEvent;

/** What the engine says. */
export type EngineEvent =
  | { readonly type: 'status'; readonly message: string }
  /** The next piece of the reply's text. */
  | { readonly type: 'progress'; readonly text: string }
  | { readonly type: 'tool_use'; readonly tool: string; readonly input: unknown }
  | { readonly type: 'tool_result'; readonly tool: string; readonly result: unknown }
  /** It is still at work. */
  | { readonly type: 'keepalive' }
  /** The whole reply. */
  | { readonly type: 'complete'; readonly response: Result }
  | { readonly type: 'error'; readonly error: string };

const engineEvent: Guard<EngineEvent> = either<EngineEvent>(
  object({ type: oneOf('progress'), text }),
  object({ type: oneOf('status'), message: text }),
  object({ type: oneOf('tool_use'), tool: text, input: anything }),
  object({ type: oneOf('tool_result'), tool: text, result: anything }),
  object({ type: oneOf('keepalive') }),
  object({ type: oneOf('complete'), response: result }),
  object({ type: oneOf('error'), error: text }),
);

const queued = object({ message_id: text, queue_position: number });
const processing = object({ message_id: text, attempt: number });
const retrying = object({ message_id: text, attempt: number, reason: text });
const done = object({ message_id: text, status: oneOf('completed') });
const failed = object({
  message_id: text,
  status: text,
  code: text,
  error: text,
});

/** Of a kind that came up after this client. */
export type UnknownEvent = Id & { readonly type: 'unknown' };

/** An event off the wire. */
export function readEvent({ id: given, event, data }: EventSourceMessage): BrokerEvent | UnknownEvent {
  const id = given ? Number(given) : undefined;
  const value = parseJson(data);
  if (id === undefined || Number.isSafeInteger(id)) {
    switch (event) {
      case undefined:
      case 'message':
        return { type: 'worker', id, data, engine: engineEvent(value) ? value : undefined };
      case 'queued':
        if (queued(value)) return { ...value, type: event, id };
        break;
      case 'processing':
        if (processing(value)) return { ...value, type: event, id };
        break;
      case 'retrying':
        if (retrying(value)) return { ...value, type: event, id };
        break;
      case 'done':
        if (done(value)) return { ...value, type: event, id };
        break;
      case 'error':
        if (failed(value)) return { ...value, type: event, id };
        break;
      default:
        return { type: 'unknown', id };
    }
  }
  throw clientFault(
    200,
    'unexpected_answer',
    `The event stream holds what no broker sends: ${event ?? 'message'}, id ${given}.`,
  );
}
