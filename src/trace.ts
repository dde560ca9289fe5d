import { objectIn } from './json.ts';

/** What ties the lines of a message's story together, in the log and beyond: it goes with the message. */
export type Trace = {
  /** Of the request it was accepted by. */
  readonly requestId: string;
  /** The client's place in its own trace (https://www.w3.org/TR/trace-context/), handed on as it came. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** The person who sent it, where the queue is not named after them: a group's. */
  readonly userId?: string | undefined;
};

/** A message as log lines tell of it. `attempt`: which worker call, where that is known. */
type Told = {
  readonly queue: string;
  readonly messageId: string;
  readonly attempt?: number;
  readonly trace: Trace;
};

// Of version 00 it is known that nothing follows.
const TRACEPARENT = /^(?!ff|00.{54})[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-[\x21-\x7e]*)?$/;
const TRACESTATE = /^[\x20-\x7e\t]{1,512}$/;

/** The trace of a request; what is no valid trace context is left out, as the specification says. */
export function traceOf(requestId: string, traceparent: string, tracestate: string): Trace {
  if (!TRACEPARENT.test(traceparent)) return { requestId };
  return { requestId, traceparent, ...(TRACESTATE.test(tracestate) ? { tracestate } : {}) };
}

/** The headers that hand a trace on. */
export function traceHeaders({ traceparent, tracestate }: Trace): Record<string, string> {
  return { ...(traceparent ? { traceparent } : {}), ...(tracestate ? { tracestate } : {}) };
}

/** What each log line about a message says of it. */
export function storyOf({ queue, messageId, attempt, trace }: Told) {
  const { requestId, traceparent, userId = queue } = trace;
  return {
    request_id: requestId,
    trace_id: traceparent?.slice(3, 35),
    message_id: messageId,
    user_id: userId,
    queue,
    attempt,
  };
}

export function writeTrace(trace: Trace): string {
  return JSON.stringify(trace);
}

/** What `writeTrace` has written, or nothing: then the message is of a release that knew no traces. */
export function readTrace(written: string): Trace {
  const { requestId, traceparent, tracestate, userId } = objectIn(written || '{}');
  return {
    requestId: typeof requestId === 'string' ? requestId : '',
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
    ...(typeof tracestate === 'string' ? { tracestate } : {}),
    ...(typeof userId === 'string' ? { userId } : {}),
  };
}
