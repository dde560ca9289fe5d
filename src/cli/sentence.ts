import { BrokerError } from '../client/index.ts';
import { networkFault } from './network.ts';

/** The command cannot be understood. */
export class UsageFault extends Error {}

/** What the command line holds is no use. A TypeError: what the client library says of what it is given. */
export function isUsage(error: unknown): error is Error {
  return error instanceof UsageFault || error instanceof TypeError;
}

/** A message was sent, and whether it was accepted is not known. */
export class Unanswered extends Error {
  readonly fault: BrokerError;

  constructor(fault: BrokerError, clientMessageId: string) {
    super(`It may have been accepted; repeat with --client-message-id ${clientMessageId}.`);
    this.fault = fault;
  }
}

/** What went wrong, and what to do about it, in one sentence or two. */
export function sentence(error: unknown): string {
  if (error instanceof BrokerError) return brokerSentence(error);
  if (error instanceof Unanswered) return `${brokerSentence(error.fault)} ${error.message}`;
  if (isUsage(error)) return `error: ${error.message}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** The same for programs. */
export function problem(error: unknown): Readonly<Record<string, unknown>> {
  const { status, code, requestId } = error instanceof Unanswered ? error.fault : asFault(error);
  return { code, status, message: sentence(error), request_id: requestId };
}

function asFault(error: unknown): Pick<BrokerError, 'status' | 'code' | 'requestId'> {
  if (error instanceof BrokerError) return error;
  return { status: 0, code: isUsage(error) ? 'usage' : 'internal', requestId: undefined };
}

function brokerSentence(error: BrokerError): string {
  const { status, requestId } = error;
  const told = ofCode(error);
  return status === 500 && requestId ? `${told} (${requestId})` : told;
}

function ofCode(error: BrokerError): string {
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
  const { code, message } = networkFault(cause);
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
