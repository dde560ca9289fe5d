import { isEnd } from '../facts.ts';
import type { Listening, LoggedEvent, SeenEvent } from '../history.ts';
import type { Clause } from './clause.ts';

/** A listener's stored events are numbered on from where it began, none missing and none repeated (G4). */
export const gapless: Clause = function* ({ history }) {
  for (const { listener, after, events } of history.listenings) {
    const ids = storedOf(events).map(({ id }) => id);
    const wrong = ids.findIndex((id, index) => id !== after + 1 + index);
    if (wrong >= 0)
      yield `${listener}, from ${after} on, was told event ${ids[wrong]} where ${after + 1 + wrong} comes.`;
  }
};

/** All listeners of a message are told one sequence: its log. */
export const oneSequence: Clause = function* ({ history, stored }) {
  const told = new Map<string, LoggedEvent>();
  for (const { listener, messageId, events } of history.listenings) {
    const log = stored.get(messageId)?.log;
    for (const { id = 0, name, data } of storedOf(events)) {
      const place = `${id} ${messageId}`;
      const event = log ? log[id - 1] : told.get(place);
      if (log && !event) yield `${listener} was told an event ${id} that the log does not have: ${name} ${data}`;
      if (event && (event.name !== name || event.data !== data))
        yield `${listener} was told as event ${id} "${name} ${data}", and others "${event.name} ${event.data}".`;
      told.set(place, { name, data });
    }
  }
};

/** Whoever comes back goes on where it was, and is sent away (`204`) after the last event and no sooner. */
export const resumedExactly: Clause = function* ({ listeners, stored }) {
  for (const [listener, listenings] of listeners) {
    let seen = 0;
    for (const { messageId, after, events, end } of listenings) {
      if (after !== seen) yield `${listener} had event ${seen} and came back for what follows ${after}.`;
      seen = storedOf(events).at(-1)?.id ?? after;
      const log = stored.get(messageId)?.log ?? [];
      const hasAll = log.some(isEnd) && after >= log.length;
      if (end === 204 && !hasAll) yield `${listener} was sent away after event ${after} of ${log.length}.`;
      if (hasAll && (end === 'closed' || events.length)) yield `${listener} had all and was answered with a stream.`;
    }
  }
};

/** Nobody who stays is left without an end. */
export const nobodyLeftWaiting: Clause = function* ({ history }) {
  for (const listening of history.listenings) {
    const last = storedOf(listening.events).at(-1)?.id ?? listening.after;
    if (listening.end === 'waiting') yield `${listening.listener} was left waiting after event ${last}.`;
  }
};

/** What is told in passing (keepalives, a new place in the queue) has no id and is no part of the sequence. */
function storedOf(events: Listening['events']): readonly SeenEvent[] {
  return events.filter(({ id }) => id !== undefined);
}
