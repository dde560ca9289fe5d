/** A fault the client is told of. One place (`http/problem.ts`) turns it into an answer. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterSeconds: number | undefined;
  readonly errors: readonly { path: string; message: string }[] | undefined;

  constructor(
    status: number,
    code: string,
    detail: string,
    more: { retryAfterSeconds?: number; errors?: readonly { path: string; message: string }[] } = {},
  ) {
    super(detail);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.errors = more.errors;
  }
}

/** The store did not answer. What was asked may or may not have happened; every store call can be repeated. */
export class StoreUnavailable extends Error {
  constructor(cause: unknown) {
    // Logs tell the cause behind it.
    super('The store does not answer', { cause });
    this.name = 'StoreUnavailable';
  }
}

/** A write came with a fencing token that is no longer the newest: another broker holds the queue. */
export class ClaimLost extends Error {
  constructor(queue: string, token: number) {
    super(`Claim ${token} on queue "${queue}" was taken over`);
    this.name = 'ClaimLost';
  }
}

/** What is behind a fault, in a sentence for the log. */
export function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : causeOf(error.cause);
}
