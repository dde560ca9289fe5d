import { BrokerError } from '../client/index.ts';
import { printable } from './output.ts';

/** The command cannot be understood. */
export class UsageFault extends Error {}

/** What the command line holds is no use. A TypeError: what the client library says of what it is given. */
export function isUsage(error: unknown): error is Error {
  return error instanceof UsageFault || error instanceof TypeError;
}

/** What went wrong, and what to do about it, in one sentence or two. */
export function sentence(error: unknown): string {
  if (error instanceof BrokerError) return printable(brokerSentence(error));
  if (isUsage(error)) return `error: ${printable(error.message)}`;
  return printable(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

function brokerSentence(error: BrokerError): string {
  switch (error.code) {
    case 'unreachable':
      return unreachable(error);
    case 'missing_key':
      return 'The broker asks for a key. Give it as --key or in BROKER_KEY.';
    case 'invalid_key':
      return 'The broker does not know this key. Give another one as --key or in BROKER_KEY.';
    default:
      return error.detail;
  }
}

/** The broker's address is in the detail, and the network's own word for the fault is behind it. */
function unreachable({ detail, cause }: BrokerError): string {
  const url = /at (\S+)/.exec(detail)?.[1] ?? 'this address';
  const { code, message } = originOf(cause);
  switch (code) {
    case 'ECONNREFUSED':
      return `Nobody listens at ${url}. Start the broker there, or say where it is with --url or in BROKER_URL.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `There is no host with the name in ${url}. Say where the broker is with --url or in BROKER_URL.`;
    default:
      return message ? `${detail} (${message})` : detail;
  }
}

/** What is behind the error that `fetch` throws. */
function originOf(error: unknown): { readonly code?: unknown; readonly message?: string } {
  if (!(error instanceof Error)) return {};
  return error.cause instanceof Error ? originOf(error.cause) : error;
}
