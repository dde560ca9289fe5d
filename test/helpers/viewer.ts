import { once } from 'node:events';
import type { StatelyInspectionEvent } from '@statelyai/inspect';
import type { ExecutionContext } from 'ava';
import { WebSocket } from 'ws';

type Frame = StatelyInspectionEvent;
type ActorFrame = Extract<Frame, { type: '@xstate.actor' }>;

/** What a snapshot of a machine shows; the package types it as any snapshot. */
export type Shown = { readonly status: string; readonly value?: unknown; readonly context?: Record<string, unknown> };

/** Speaks with the inspector's relay as the inspector's page does: connects, and takes in what is sent. */
export class Viewer {
  readonly socket: WebSocket;
  /** As they came. */
  readonly texts: string[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(inspectorUrl: string, origin: string) {
    this.socket = new WebSocket(inspectorUrl.replace('http:', 'ws:'), { origin });
    this.socket.on('message', (data) => {
      this.texts.push(String(data));
      for (const look of this.#waiting) look();
    });
  }

  get frames(): readonly Frame[] {
    return this.texts.map((text): Frame => JSON.parse(text));
  }

  /** Waits until `find` finds something in what has come so far. */
  until<Found>(find: () => Found | undefined | false): Promise<Found> {
    return new Promise((resolve) => {
      const look = () => {
        const found = find();
        if (found === undefined || found === false) return;
        this.#waiting.delete(look);
        resolve(found);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** The first actor with such a name, once there is one. */
  actor(name: string): Promise<ActorFrame> {
    const isIt = (frame: Frame): frame is ActorFrame => frame.type === '@xstate.actor' && frame.name === name;
    return this.until(() => this.frames.find(isIt));
  }

  /** Waits until that actor is no more. */
  end({ sessionId }: ActorFrame): Promise<Shown> {
    return this.until(() => this.snapshots(sessionId).find(({ status }) => status !== 'active'));
  }

  snapshots(sessionId: string): readonly Shown[] {
    return this.frames.flatMap((frame) =>
      frame.type === '@xstate.snapshot' && frame.sessionId === sessionId ? [frame.snapshot] : [],
    );
  }

  events(sessionId: string): readonly Readonly<Record<string, unknown>>[] {
    return this.frames.flatMap((frame) =>
      frame.type === '@xstate.event' && frame.sessionId === sessionId ? [frame.event] : [],
    );
  }
}

/** A viewer that is connected; its page is the relay's own, unless another `origin` is given. */
export async function aViewer(t: ExecutionContext, inspectorUrl: string, origin = inspectorUrl): Promise<Viewer> {
  const viewer = new Viewer(inspectorUrl, origin);
  t.teardown(() => viewer.socket.terminate());
  await once(viewer.socket, 'open');
  return viewer;
}
