import { z } from 'zod';

/**
 * What is shown of what the machines hold and are told: the fields that stand here, and nothing else. A claim, for one,
 * is really a turn with the message, its open call and its callback; of those it is the names that keep them in.
 * Of an error there is only its name: its message may be the worker's, and is in the log.
 */
const claim = z.object({ messageId: z.string(), token: z.number(), attempt: z.number().optional() });
const outcome = z.object({ status: z.string(), code: z.string().optional() });
const tidings = z.object({ type: z.string() });
const posted = z.object({ type: z.string(), delayMs: z.number().optional() });
// A callback's path and query may hold a secret of the client's.
const origin = z.string().transform((url) => URL.parse(url)?.origin);
const destination = z.object({ queue: z.string(), url: origin });

const CONTEXTS = {
  supervisor: z.object({}),
  user: z.object({
    queue: z.string(),
    claim: claim.optional(),
    hinted: z.boolean(),
    draining: z.boolean(),
  }),
  delivery: z.object({
    destination,
    claim: claim.optional(),
    tidings: tidings.optional(),
    posted: posted.optional(),
    draining: z.boolean(),
  }),
  'worker-health': z.object({
    concurrency: z.number(),
    connected: z.boolean().optional(),
    failing: z.array(z.string()).transform((queues) => queues.length),
    tries: z.number(),
    allowed: z.number(),
  }),
};

/** What any of the effects may answer: whether there is more, a claim, an outcome, and so on. */
const output = z.union([
  z.boolean(),
  z.object({
    ...claim.partial().shape,
    ...posted.partial().shape,
    outcome: outcome.optional(),
    next: claim.optional(),
    waiting: z.boolean().optional(),
  }),
]);

const event = z.object({
  type: z.string(),
  queue: z.string().optional(),
  token: z.number().optional(),
  /** The actor that is done, or broke. */
  actorId: z.string().optional(),
  output: output.optional().catch(undefined),
  error: z.object({ name: z.string() }).optional().catch(undefined),
});

const subject = z.object({ queue: z.string().optional(), destination: destination.optional() });

/** The machines that are shown, by their ids. */
export type MachineId = keyof typeof CONTEXTS;

export type ShownEvent = z.infer<typeof event>;

export function isShown(machineId: string): machineId is MachineId {
  return Object.hasOwn(CONTEXTS, machineId);
}

/** What is shown of a machine's context; undefined when it is not what it should be. */
export function shownContext(machineId: MachineId, context: unknown): Readonly<Record<string, unknown>> | undefined {
  return CONTEXTS[machineId].safeParse(context).data;
}

/** What is shown of an event that a machine is told. */
export function shownEvent(told: { readonly type: string }): ShownEvent {
  return event.safeParse(told).data ?? { type: told.type };
}

/** Whose actor it is, and where its callbacks go: both undefined for those that there is one of in each broker. */
export function subjectOf(context: unknown): {
  readonly queue: string | undefined;
  readonly origin: string | undefined;
} {
  const { data } = subject.safeParse(context);
  return { queue: data?.queue ?? data?.destination?.queue, origin: data?.destination?.url };
}
