import type { StatelyInspectionEvent } from '@statelyai/inspect';
import {
  Actor,
  type ActorRefLike,
  type InspectedEventEvent,
  type InspectedSnapshotEvent,
  type InspectionEvent,
  isMachineSnapshot,
  type Snapshot,
  type SnapshotStatus,
  StateMachine,
} from 'xstate';
import { isShown, type MachineId, type ShownEvent, shownContext, shownEvent, subjectOf } from './redaction.ts';
import { InspectorServer } from './server.ts';

/** The version of @statelyai/inspect whose format is spoken. */
const FORMAT_VERSION = '0.7.2';

type Settings = {
  /** 0 takes a free one. */
  readonly port: number;
  /** The queues that are shown; all of them when there is none. */
  readonly users: readonly string[];
};

/** A live actor that is shown. */
type Subject = {
  readonly actor: ActorRefLike;
  readonly machineId: MachineId;
  readonly name: string;
  /** The actor that the others of its system come from. */
  readonly rootId: string;
  readonly parentId: string | undefined;
  /** The machine's, as JSON. */
  readonly definition: string;
};

type MachineState = { readonly status: SnapshotStatus; readonly value: unknown; readonly context: unknown };

const BROKEN: MachineState = { status: 'error', value: undefined, context: undefined };

/**
 * Shows the actors of a running broker in the Stately inspector, as they are and as they change: the supervisor, users,
 * deliveries and the worker's health. Never a message, its audio or a key: see `redaction.ts`.
 */
export class Inspector {
  readonly #users: ReadonlySet<string>;
  readonly #server: InspectorServer;
  readonly #live = new Map<string, Subject>();
  readonly #definitions = new Map<MachineId, string>();
  #frames = 0;

  constructor({ port, users }: Settings) {
    this.#users = new Set(users);
    this.#server = new InspectorServer(port, {
      ids: () => this.#live.keys(),
      frameOf: (id) => {
        const subject = this.#live.get(id);
        return subject && this.#actorFrame(subject);
      },
    });
  }

  /** What XState is to call. */
  readonly inspect = (told: InspectionEvent): void => {
    switch (told.type) {
      case '@xstate.event':
        // An actor is met when it starts: when XState tells that there is one, it has no snapshot yet.
        if (told.event.type === 'xstate.init') this.#meet(told);
        this.#tellEvent(told);
        return;
      case '@xstate.snapshot':
        this.#tellSnapshot(told);
        if (told.snapshot.status !== 'active') this.#live.delete(told.actorRef.sessionId);
        return;
      case '@xstate.actor':
      case '@xstate.transition':
      case '@xstate.microstep':
      case '@xstate.action':
        return;
    }
  };

  /** Resolves to the address to open in a browser. */
  listen(): Promise<string> {
    return this.#server.listen();
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  #meet({ actorRef, rootId }: InspectedEventEvent): void {
    if (!(actorRef instanceof Actor)) return;
    const logic: unknown = actorRef.logic;
    if (!(logic instanceof StateMachine) || !isShown(logic.id)) return;
    const { queue, origin } = subjectOf(stateOf(actorRef)?.context);
    if (!this.#isChosen(queue)) return;
    const subject: Subject = {
      actor: actorRef,
      machineId: logic.id,
      name: [logic.id, queue, origin].filter(Boolean).join(' '),
      rootId,
      parentId: actorRef._parent?.sessionId,
      definition: this.#definitionOf(logic.id, logic.config),
    };
    this.#live.set(actorRef.sessionId, subject);
    this.#send(subject, () => this.#actorFrame(subject));
    // XState tells nothing of an actor that broke. Only those that come and go are listened to, whose errors others
    // hear as well: an error that somebody hears is not reported as unhandled any more.
    if (queue !== undefined) actorRef.subscribe({ error: () => this.#broke(subject) });
  }

  #broke(subject: Subject): void {
    this.#live.delete(subject.actor.sessionId);
    this.#send(subject, () => this.#snapshotFrame(subject, { type: 'xstate.error' }));
  }

  #tellEvent({ actorRef, sourceRef, event: told }: InspectedEventEvent): void {
    const subject = this.#live.get(actorRef.sessionId);
    if (!subject) return;
    this.#send(subject, () => {
      const event = this.#toldOf(subject, told);
      const sourceId = sourceRef && this.#live.get(sourceRef.sessionId)?.actor.sessionId;
      return event && write({ type: '@xstate.event', ...this.#stamp(subject), event, sourceId });
    });
  }

  #tellSnapshot({ actorRef, event: told }: InspectedSnapshotEvent): void {
    const subject = this.#live.get(actorRef.sessionId);
    if (!subject) return;
    this.#send(subject, () => {
      const event = this.#toldOf(subject, told);
      return event && this.#snapshotFrame(subject, event);
    });
  }

  /** Makes a frame only when somebody looks. */
  #send({ actor: { sessionId } }: Subject, make: () => string | undefined): void {
    const frame = this.#server.watched ? make() : undefined;
    if (frame !== undefined) this.#server.send(sessionId, frame);
  }

  /** What is shown of an event; undefined when it is about a user who is not. Of the worker's health all is, but for whom it was. */
  #toldOf({ machineId }: Subject, told: { readonly type: string }): ShownEvent | undefined {
    const event = shownEvent(told);
    if (this.#isChosen(event.queue)) return event;
    return machineId === 'worker-health' ? { ...event, queue: undefined } : undefined;
  }

  /** What is about no queue is always shown. */
  #isChosen(queue: string | undefined): boolean {
    return queue === undefined || !this.#users.size || this.#users.has(queue);
  }

  #actorFrame(subject: Subject): string {
    const { name, parentId, definition } = subject;
    const snapshot = shownSnapshot(subject);
    return write({ type: '@xstate.actor', ...this.#stamp(subject), name, parentId, definition, snapshot });
  }

  #snapshotFrame(subject: Subject, event: ShownEvent): string {
    return write({ type: '@xstate.snapshot', ...this.#stamp(subject), event, snapshot: shownSnapshot(subject) });
  }

  /** What every frame has. */
  #stamp({ actor: { sessionId }, rootId }: Subject) {
    this.#frames += 1;
    return { _version: FORMAT_VERSION, id: String(this.#frames), createdAt: String(Date.now()), rootId, sessionId };
  }

  #definitionOf(machineId: MachineId, config: unknown): string {
    const known = this.#definitions.get(machineId);
    if (known !== undefined) return known;
    const definition = JSON.stringify(config, (_key, value: unknown) =>
      typeof value === 'function' ? { type: value.name } : value,
    );
    this.#definitions.set(machineId, definition);
    return definition;
  }
}

function write(frame: StatelyInspectionEvent): string {
  return JSON.stringify(frame);
}

function shownSnapshot({ actor, machineId }: Subject): Snapshot<undefined> & MachineState {
  // XState is what calls here, and a fault would be the actor's: one that has no such state is shown as broken.
  const { status, value, context } = stateOf(actor) ?? BROKEN;
  return { status, value, context: shownContext(machineId, context), output: undefined, error: undefined };
}

function stateOf(actor: ActorRefLike): MachineState | undefined {
  const snapshot: unknown = actor.getSnapshot();
  return isMachineSnapshot(snapshot) ? snapshot : undefined;
}
