import type { StoreKind } from '../helpers/broker.ts';
import { Dice } from './dice.ts';

/** All that will be done in one run: who sends and listens, and what goes wrong when. One seed gives one plan. */
export type Plan = {
  readonly seed: number;
  readonly store: StoreKind;
  readonly brokers: number;
  /** By how much the brokers' clocks are off. Each new process of a broker takes the next one. */
  readonly clocksMs: readonly number[];
  /** Settings of the brokers. */
  readonly env: Readonly<Record<string, string>>;
  readonly users: readonly UserPlan[];
  readonly faults: readonly Fault[];
};

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
  readonly listeners: readonly ListenerPlan[];
};

export type ListenerPlan = {
  readonly kind: 'stays' | 'vanishes' | 'comes and goes' | 'reads slowly';
  readonly seed: number;
};

const FAULTS = [
  'a broker is killed',
  'a broker is frozen',
  'a broker is stopped in order',
  'Redis is killed',
  'Redis is frozen',
  'scripts are flushed',
  'the worker is down',
  'the worker dies',
  'the network is cut',
  'the network holds what goes to Redis',
  'the network holds what comes from Redis',
  'the network holds everything',
] as const;

export type FaultKind = (typeof FAULTS)[number];

export type Fault = {
  readonly kind: FaultKind;
  readonly atMs: number;
  readonly forMs: number;
  /** Which broker, where one is meant. */
  readonly broker: number;
};

/** What of a plan is not left to chance. */
export type Wish = {
  readonly store?: StoreKind;
  readonly brokers?: number;
  readonly faults?: readonly FaultKind[];
  /** An `ill` one answers rubbish, breaks off, hangs, is too busy. */
  readonly worker?: 'well' | 'ill';
  readonly clocks?: 'right' | 'wrong';
  /** `MAX_ATTEMPTS`. */
  readonly attempts?: number;
  /** How many users there are, and how many messages each sends. */
  readonly size?: number;
};

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
  'scripts are flushed': [0, 0],
  'the worker is down': [500, 2000],
  'the worker dies': [0, 100],
  'the network is cut': [300, 2500],
  'the network holds what goes to Redis': [300, 2500],
  'the network holds what comes from Redis': [300, 2500],
  'the network holds everything': [300, 2500],
};

/** Faults that one broker with the embedded store can meet. */
const ANYWHERE: readonly FaultKind[] = [
  'a broker is killed',
  'a broker is frozen',
  'a broker is stopped in order',
  'the worker is down',
  'the worker dies',
];

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
  const store = wish.store ?? dice.pick(['redis', 'redis', 'redis', 'embedded']);
  const brokers = wish.brokers ?? (store === 'redis' ? dice.number(1, 3) : 1);
  const ill = (wish.worker ?? dice.pick(['well', 'well', 'ill'])) === 'ill';
  const wrong = (wish.clocks ?? dice.pick(['right', 'wrong'])) === 'wrong';
  const { size = SIZE } = wish;
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
    users: Array.from({ length: size }, (_, n) => aUser(new Dice(dice.seed()), `user-${n}`, size, ill)),
    faults: kinds.map((kind) => aFault(dice, kind, brokers)),
  };
}

function someFaults(dice: Dice, store: StoreKind): FaultKind[] {
  const [first, ...others] = store === 'redis' ? FAULTS : ANYWHERE;
  return first ? Array.from({ length: dice.number(1, 4) }, () => dice.pick([first, ...others])) : [];
}

function aFault(dice: Dice, kind: FaultKind, brokers: number): Fault {
  const [least, most] = DURATIONS[kind];
  return { kind, atMs: dice.number(200, 1200), forMs: dice.number(least, most), broker: dice.number(0, brokers - 1) };
}

function aUser(dice: Dice, queue: string, size: number, ill: boolean): UserPlan {
  return {
    queue,
    seed: dice.seed(),
    messages: Array.from({ length: size }, (_, n) => aMessage(dice, `${queue}/${n}`, ill)),
  };
}

function aMessage(dice: Dice, clientMessageId: string, ill: boolean): MessagePlan {
  return {
    clientMessageId,
    text: `[[${directives(dice, ill)}]] ${clientMessageId}`,
    pauseMs: dice.number(0, 150),
    streamed: dice.chance(0.3),
    givesUp: dice.chance(0.2),
    listeners: Array.from({ length: dice.number(0, 2) }, () => ({
      kind: dice.pick(['stays', 'vanishes', 'comes and goes', 'reads slowly']),
      seed: dice.seed(),
    })),
  };
}

function directives(dice: Dice, ill: boolean): string {
  const [least, most] = WAITS[dice.chance(0.8) ? 'moment' : dice.chance(0.7) ? 'renewed' : 'long'];
  const pace = `ttft=${dice.number(least, most)} chunk=${dice.number(0, 50)}`;
  const length = dice.chance(0.05) ? 'events=20 size=50000' : `events=${dice.number(1, 8)}`;
  return [pace, length, ...(ill && dice.chance(0.5) ? [dice.pick(ILLS)] : [])].join(' ');
}
