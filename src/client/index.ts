/** `bt-servant-message-broker/client`: see docs/client.md. */
export {
  BrokerClient,
  type BrokerClientOptions,
  type CallOptions,
  type ReadOptions,
  type StreamOptions,
} from './client.ts';
export type { Fetch } from './connection.ts';
export type { DeadLetter, DeadLetterPage, Discarded } from './dead-letter.ts';
export { BrokerError, type ClientCode, type FieldFault } from './error.ts';
export type {
  BrokerEvent,
  DoneEvent,
  EngineEvent,
  ErrorEvent,
  ProcessingEvent,
  QueuedEvent,
  RetryingEvent,
  WorkerEvent,
} from './event.ts';
export type { Health } from './health.ts';
export type {
  Accepted,
  CallbackState,
  Cancelled,
  MessageState,
  MessageStatus,
  NewMessage,
  Result,
  Retried,
} from './message.ts';
export type { Cleared, QueuedMessage, QueueState } from './queue.ts';
