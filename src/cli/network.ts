import type { BrokerError } from '../client/index.ts';

/** No connection came about with any of these. */
const NEVER_SENT: readonly unknown[] = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN'];

/** The broker has not been reached at all: nothing can have been done. */
export function neverSent({ cause }: BrokerError): boolean {
  return NEVER_SENT.includes(networkFault(cause).code);
}

/** What is behind the error that `fetch` throws. */
export function networkFault(error: unknown): { readonly code?: unknown; readonly message?: string } {
  if (!(error instanceof Error)) return {};
  return error.cause instanceof Error ? networkFault(error.cause) : error;
}
