import { type Answer, type Plan, type Reply, refuse, type Turn } from './reply.ts';
import type { ChatRequest } from './request.ts';

/** The same turn as `/chat` answers it: all of the work, then one JSON. */
export function finalPlan(turn: Turn, { fault }: ChatRequest, messageId: string): Plan {
  const delayMs = turn.steps.reduce((sum, step) => sum + step.delayMs, 0);
  if (fault !== undefined) return refuse(400, fault.name, fault.message);
  if (turn.end === 'stall') return { kind: 'hang' };
  const last = turn.steps.at(-1)?.event;
  if (last?.type === 'error') return { ...refuse(502, 'ClaudeAPIError', last.error), delayMs };
  const reply = replyOf(turn);
  // No JSON is an answer that was cut off.
  if (reply === undefined) return { kind: 'reset', delayMs };
  const body = JSON.stringify({ message_id: messageId, ...reply });
  return { kind: 'answer', status: 200, type: 'application/json', body, delayMs };
}

/** The answer to a message whose turn goes to a callback URL. */
export function accepted(messageId: string): Answer {
  return { kind: 'answer', status: 202, type: 'application/json', body: JSON.stringify({ message_id: messageId }) };
}

/** What the turn comes to; undefined when it fails or has no proper end. */
export function replyOf(turn: Turn): Reply | undefined {
  const last = turn.end === 'finish' ? turn.steps.at(-1)?.event : undefined;
  return last?.type === 'complete' ? last.response : undefined;
}
