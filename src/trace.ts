import { objectIn } from './json.ts';

/** What ties the lines of a message's story together, in the log and beyond: it goes with the message. */
export type Trace = {
  /** Of the request it was accepted by. */
  readonly requestId: string;
  /** The client's place in its own trace (https://www.w3.org/TR/trace-context/), handed on as it came. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
};

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}(?:-[\x21-\x7e]*)?$/;
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

/** What log lines say of it. */
export function traceFields({ requestId, traceparent }: Trace): Readonly<Record<string, string>> {
  return { request_id: requestId, ...(traceparent ? { trace_id: traceparent.slice(3, 35) } : {}) };
}

export function writeTrace(trace: Trace): string {
  return JSON.stringify(trace);
}

/** What `writeTrace` has written, or nothing: then the message is of a release that knew no traces. */
export function readTrace(written: string): Trace {
  const { requestId, traceparent, tracestate } = objectIn(written || '{}');
  return {
    requestId: typeof requestId === 'string' ? requestId : '',
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
    ...(typeof tracestate === 'string' ? { tracestate } : {}),
  };
}
