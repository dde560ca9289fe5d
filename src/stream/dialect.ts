import type { Frame } from './run.ts';

/** How a message's events are put on the wire. */
export type Dialect = {
  /** Written first. */
  readonly opening: Uint8Array;
  /** Written when nothing else was for so long. */
  readonly idle: Uint8Array;
  readonly idleMs: number;
  /** What to write last when the broker leaves before the message has ended. */
  readonly farewell: () => Uint8Array;
  /** What stands for an event; empty when nothing does. Undefined: each goes as it is. */
  readonly render: ((frame: Frame) => Uint8Array) | undefined;
};

/**
 * The broker's own events: every one as it is stored. The opening tells how soon a client should come back, and makes
 * proxies send the headers on; comments keep a connection open through proxies that close idle ones.
 */
export const EVENTS: Dialect = {
  opening: Buffer.from('retry: 1000\n\n'),
  idle: Buffer.from(':\n\n'),
  idleMs: 15_000,
  // The client comes back by itself, with the id of what it had last.
  farewell: () => new Uint8Array(),
  render: undefined,
};
