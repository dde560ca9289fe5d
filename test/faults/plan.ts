import type { StoreKind } from '../helpers/broker.ts';
import { Dice } from './dice.ts';

/** All that will be done in one run: who sends and listens, and what goes wrong when. One seed gives one plan. */
export type Plan = {
  readonly seed: number;
  readonly store: PlanStore;
  readonly brokers: number;
  /** By how much the brokers' clocks are off. Each new process of a broker takes the next one. */
  readonly clocksMs: readonly number[];
  /** Settings of the brokers. */
  readonly env: Readonly<Record<string, string>>;
  readonly users: readonly UserPlan[];
  readonly faults: readonly Fault[];
};

/** `cluster`: a Redis Cluster. */
type PlanStore = StoreKind | 'cluster';

export type UserPlan = {
  readonly queue: string;
  /** Seed of what cannot be known before: to which broker to go, how long to wait before coming back. */
  readonly seed: number;
  readonly messages: readonly MessagePlan[];
};

export type MessagePlan = {
  readonly clientMessageId: string;
  /** Steers the simulated worker. */
  readonly text: string;
  /** How long the user thinks before sending it. */
  readonly pauseMs: number;
  /** Asks for the event stream itself as the answer. */
  readonly streamed: boolean;
  /** Goes on to the next message when nobody knows whether this one was accepted, and asks only at the end. */
  readonly givesUp: boolean;
  /** Cancels whatever is before it in its queue. */
  readonly interrupts: boolean;
  /** Is cancelled so long after it was accepted. */
  readonly cancelledAfterMs: number | undefined;
  /** Once it is accepted, all that waits is cancelled. */
  readonly clears: boolean;
  readonly listeners: readonly ListenerPlan[];
};

export type ListenerPlan = {
  readonly kind: 'stays' | 'vanishes' | 'comes and goes' | 'reads slowly';
  readonly seed: number;
};

/** Faults of some length that any store can meet, and those that are only for Redis, or for a Cluster. */
const ANYWHERE = [
  'a broker is killed',
  'a broker is frozen',
  'a broker is stopped in order',
  'the worker is down',
  'the worker dies',
] as const;
const AT_REDIS = [
  'Redis is killed',
  'Redis is frozen',
  'scripts are flushed',
  'the network is cut',
  'the network holds what goes to Redis',
  'the network holds what comes from Redis',
  'the network holds everything',
] as const;

const AT_CLUSTER = ['a replica takes over', 'a master is killed', 'a node hangs', 'scripts are flushed'] as const;
/** These take so long that they are rare. */
const LONG = ['the worker is down for long', 'Redis is frozen for long'] as const;

export type FaultKind =
  | (typeof ANYWHERE)[number]
  | (typeof AT_REDIS)[number]
  | (typeof AT_CLUSTER)[number]
  | (typeof LONG)[number];

export type Fault = {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly forMs: number;
  /** Which broker, where one is meant. */
  readonly broker: number;
};

/** What of a plan is not left to chance. */
export type Wish = {
  readonly store?: PlanStore;
  readonly brokers?: number;
  readonly faults?: readonly FaultKind[];
  /** An `ill` one answers rubbish, breaks off, hangs, is too busy. */
  readonly worker?: 'well' | 'ill';
  readonly clocks?: 'right' | 'wrong';
  /** `MAX_ATTEMPTS`. */
  readonly attempts?: number;
  /** Whether users cancel, clear and interrupt. */
  readonly cancels?: boolean;
  /** How many users there are, and how many messages each sends. */
  readonly size?: number;
};

/** A Cluster takes longest to put up. */
const STORES: readonly [PlanStore, ...PlanStore[]] = [
  'cluster',
  'embedded',
  'embedded',
  'embedded',
  'redis',
  'redis',
  'redis',
  'redis',
  'redis',
  'redis',
];
const SIZE = 6;
const CLOCKS_MS = [0, 60_000, -60_000];

/** How long a call takes to begin: mostly a moment, now and then so long that its claim is renewed, or runs out. */
const WAITS = { moment: [0, 120], renewed: [300, 600], long: [1200, 2000] } as const;

/** How long a fault lasts, at least and at most. */
const DURATIONS: Readonly<Record<FaultKind, readonly [number, number]>> = {
  'a broker is killed': [100, 1500],
  // Longer than the lease.
  'a broker is frozen': [1500, 2500],
  'a broker is stopped in order': [0, 500],
  'Redis is killed': [100, 1500],
  'Redis is frozen': [3000, 3000],
  'Redis is frozen for long': [15_000, 15_000],
  'a replica takes over': [0, 0],
  'a master is killed': [0, 0],
  // Shorter than the Cluster waits before it puts a replica in its place.
  'a node hangs': [400, 900],
  'scripts are flushed': [0, 0],
  'the worker is down': [500, 2000],
  'the worker is down for long': [10_000, 10_000],
  'the worker dies': [0, 100],
  'the network is cut': [300, 2500],
  'the network holds what goes to Redis': [300, 2500],
  'the network holds what comes from Redis': [300, 2500],
  'the network holds everything': [300, 2500],
};

const OFTEN = 0.95;

const ILLS = [
  'status=503 failtimes=1',
  'status=503',
  'status=502 failtimes=2',
  'status=429 retryafter=1 failtimes=1',
  'status=429 retryafter=0 failtimes=2',
  'status=500',
  'status=400',
  'reset failtimes=1',
  'reset',
  'hang',
  'stall=2',
  'midfail=2',
  'midfail=error',
  'midfail=reset',
  'midfail=end',
  'nocomplete',
  'garbage',
  'garbage=stream',
  'fail=529',
  'cut=3',
  'crlf',
  String.raw`raw="{\"type\":\"progress\",\"text\":\"\u2028 two lines \ud83d\ude00\"}"`,
] as const;

/** Makes the plan of a seed. */
export function planOf(seed: number, wish: Wish = {}): Plan {
  const dice = new Dice(seed);
  const store = wish.store ?? dice.pick(STORES);
  const brokers = wish.brokers ?? (store === 'embedded' ? 1 : dice.number(1, 3));
  const ill = (wish.worker ?? dice.pick(['well', 'well', 'ill'])) === 'ill';
  const wrong = (wish.clocks ?? dice.pick(['right', 'wrong'])) === 'wrong';
  const { size = SIZE, cancels = dice.chance(0.5) } = wish;
  const kinds = wish.faults ?? someFaults(dice, store);
  return {
    seed,
    store,
    brokers,
    clocksMs: wrong ? CLOCKS_MS : [0],
    env: {
      LEASE_SECONDS: '1',
      WORKER_CONNECT_TIMEOUT_SECONDS: '1',
      WORKER_IDLE_TIMEOUT_SECONDS: ill ? '1' : '30',
      WORKER_CONCURRENCY: dice.pick(['2', '100', '100']),
      MAX_QUEUE_LENGTH: dice.pick(['3', '50']),
      SHUTDOWN_SECONDS: dice.pick(['0', '0.3', '5']),
      // Few: what fails at each attempt backs off for twice as long each time, and a run is to be short.
      MAX_ATTEMPTS: String(wish.attempts ?? dice.pick([3, 3, 5])),
    },
    users: Array.from({ length: size }, (_, n) => aUser(new Dice(dice.seed()), `user-${n}`, { size, ill, cancels })),
    faults: kinds.map((kind) => aFault(dice, kind, brokers)),
  };
}

function someFaults(dice: Dice, store: PlanStore): FaultKind[] {
  const here: Readonly<Record<PlanStore, readonly FaultKind[]>> = {
    redis: AT_REDIS,
    cluster: AT_CLUSTER,
    embedded: [],
  };
  const long = store === 'redis' ? LONG : LONG.slice(0, 1);
  const [first, ...others] = ANYWHERE;
  return Array.from({ length: dice.number(1, 4) }, () =>
    dice.chance(OFTEN) ? dice.pick([first, ...others, ...here[store]]) : dice.pick([LONG[0], ...long]),
  );
}

function aFault(dice: Dice, kind: FaultKind, brokers: number): Fault {
  const [least, most] = DURATIONS[kind];
  return { kind, atMs: dice.number(200, 1200), forMs: dice.number(least, most), broker: dice.number(0, brokers - 1) };
}

/** What messages are like. */
type Style = { readonly ill: boolean; readonly cancels: boolean };

function aUser(dice: Dice, queue: string, { size, ...style }: Style & { readonly size: number }): UserPlan {
  return {
    queue,
    seed: dice.seed(),
    messages: Array.from({ length: size }, (_, n) => aMessage(dice, `${queue}/${n}`, style)),
  };
}

function aMessage(dice: Dice, clientMessageId: string, { ill, cancels }: Style): MessagePlan {
  return {
    clientMessageId,
    text: `[[${directives(dice, ill)}]] ${clientMessageId}`,
    pauseMs: dice.number(0, 150),
    streamed: dice.chance(0.3),
    givesUp: dice.chance(0.2),
    interrupts: cancels && dice.chance(0.1),
    cancelledAfterMs: cancels && dice.chance(0.15) ? dice.number(0, 600) : undefined,
    clears: cancels && dice.chance(0.05),
    listeners: Array.from({ length: dice.number(0, 2) }, () => ({
      kind: dice.pick(['stays', 'vanishes', 'comes and goes', 'reads slowly']),
      seed: dice.seed(),
    })),
  };
}

function directives(dice: Dice, ill: boolean): string {
  const [least, most] = WAITS[dice.chance(0.8) ? 'moment' : dice.chance(0.7) ? 'renewed' : 'long'];
  const pace = `ttft=${dice.number(least, most)} chunk=${dice.number(0, 50)}`;
  const large = dice.chance(0.05);
  const length = large ? 'events=20 size=50000' : `events=${dice.number(1, 8)}`;
  const ills = ill && dice.chance(0.5) ? [dice.pick(ILLS)] : [];
  // A megabyte in pieces of three bytes takes longer than all else together.
  return [pace, length, ...ills.filter((one) => !large || one !== 'cut=3')].join(' ');
}
