import type { History, Listening, LoggedEvent, Sending, StoredMessage, WorkerCall } from './history.ts';

/** A history, with what every clause looks up in it. */
export type Facts = {
  readonly history: History;
  /** What clients sent, whatever came of it; one for each `client_message_id` of a queue. */
  readonly sent: readonly SentMessage[];
  /** Messages that were accepted, by their id. */
  readonly accepted: ReadonlyMap<string, SentMessage>;
  readonly stored: ReadonlyMap<string, StoredMessage>;
  /** Calls of each message, and of each queue, in order. */
  readonly callsOf: ReadonlyMap<string, readonly WorkerCall[]>;
  readonly callsIn: ReadonlyMap<string, readonly WorkerCall[]>;
  /** Connections of each listener, in order. */
  readonly listeners: ReadonlyMap<string, readonly Listening[]>;
};

/** A message as its client knows it. */
export type SentMessage = {
  readonly queue: string;
  readonly clientMessageId: string;
  readonly text: string;
  readonly interrupts: boolean;
  readonly sendings: readonly Sending[];
  /** All ids it was accepted under: one, or something is wrong. */
  readonly messageIds: readonly string[];
  /** Places in the history of its first sending, and of the answer that first said that it was accepted. */
  readonly firstSent: number;
  readonly firstAccepted: number | undefined;
  /** When its client was told so, first. */
  readonly acceptedMs: number | undefined;
};

/** Looks through a history once, for all clauses. */
export function factsOf(history: History): Facts {
  const sent = sentMessages(history.sendings);
  return {
    history,
    sent,
    accepted: new Map(sent.flatMap((message) => message.messageIds.map((id) => [id, message] as const))),
    stored: new Map(history.messages.map((message) => [message.messageId, message])),
    callsOf: Map.groupBy(history.calls, ({ messageId }) => messageId ?? ''),
    callsIn: Map.groupBy(history.calls, ({ queue }) => queue),
    listeners: Map.groupBy(history.listenings, ({ listener }) => listener),
  };
}

function sentMessages(sendings: readonly Sending[]): SentMessage[] {
  const places = new Map(sendings.map((sending, place) => [sending, place]));
  const placeOf = (sending: Sending | undefined) => (sending ? places.get(sending) : undefined);
  const groups = Map.groupBy(sendings, ({ queue, clientMessageId }) => JSON.stringify([queue, clientMessageId]));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    const { queue, clientMessageId, text, interrupts } = first;
    const messageIds = new Set(group.flatMap(({ answer }) => (answer.type === 'accepted' ? [answer.messageId] : [])));
    const yes = group.find(({ answer }) => answer.type === 'accepted');
    const [firstAccepted, acceptedMs] = [placeOf(yes), yes?.answeredMs];
    const firstSent = placeOf(first) ?? 0;
    const what = { queue, clientMessageId, text, interrupts };
    return [{ ...what, sendings: group, messageIds: [...messageIds], firstSent, firstAccepted, acceptedMs }];
  });
}

/**
 * Was `one` accepted before `other`, as far as anybody can know? Only if its client was told so before it sent the
 * other: a message whose acceptance nobody was told of may have come into the store at any later moment.
 */
export function acceptedBefore(one: SentMessage, other: SentMessage): boolean {
  return one.firstAccepted !== undefined && one.firstAccepted < other.firstSent;
}

/** Is this the last event of a message? */
export function isEnd({ name }: LoggedEvent): boolean {
  return name === 'done' || name === 'error';
}

/** The fields of an event that the broker wrote; empty when it is no JSON object. */
export function fieldsOf({ data }: LoggedEvent): Readonly<Record<string, unknown>> {
  try {
    const fields: unknown = JSON.parse(data);
    return typeof fields === 'object' && fields !== null ? { ...fields } : {};
  } catch {
    return {};
  }
}
