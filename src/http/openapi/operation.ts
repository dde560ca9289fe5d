import { z } from 'zod';
import { jsonSchemaOf } from './schema.ts';

/** OpenAPI as it is written here: with zod's schemas where the document has JSON's. */

type Media = {
  readonly schema: z.ZodType;
  readonly example?: unknown;
  /** Of an event stream: the JSON in `data`, by the name of the event; `message` for those without a name. */
  readonly 'x-events'?: Readonly<Record<string, z.ZodType>>;
};

/** `required`: it is always there. */
type Header = { readonly description: string; readonly required: boolean; readonly schema: z.ZodType };
type Headers = Readonly<Record<string, Header>>;

export type Answer = {
  readonly description: string;
  readonly headers?: Headers;
  readonly content?: Readonly<Record<string, Media>>;
};

export type Answers = Readonly<Record<string, Answer>>;

type Parameter = {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description: string;
  readonly schema: unknown;
  readonly example?: string;
};

export type Tag = 'Messages' | 'Queues' | 'Engine' | 'Health' | 'Documents';
/** By their names in the document: without one, `anyone` may ask. */
export type Security = readonly Readonly<Partial<Record<'apiKey' | 'bearer' | 'streamToken', readonly []>>>[];

export type Operation = {
  readonly operationId: string;
  readonly tags: readonly [Tag];
  readonly summary: string;
  readonly description?: string;
  readonly security?: Security;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: {
    readonly description?: string;
    readonly required: true;
    readonly content: Readonly<Record<string, Media>>;
  };
  readonly responses: Answers;
  readonly callbacks?: Readonly<Record<string, Paths>>;
  /** Operations that are alike, and are shown as one: by what it is called. */
  readonly 'x-group'?: string;
};

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
export type Paths = Readonly<Record<string, Readonly<Partial<Record<Method, Operation>>>>>;

export const ANYONE: Security = [];

/** Of a message, wherever an example needs one. */
export const EXAMPLE_ID = '0199f3a2-4c1e-7000-8000-1b2c3d4e5f60';
const EXAMPLES: Readonly<Record<string, string>> = { user_id: 'ruth', message_id: EXAMPLE_ID };

/** An answer in JSON. */
export function json(description: string, schema: z.ZodType, example?: unknown): Answer {
  const media = { schema, ...(example === undefined ? {} : { example }) };
  return { description, content: { 'application/json': media } };
}

/** A header that an answer always has. */
export function header(description: string, schema: z.ZodType): Header {
  return { description, required: true, schema };
}

/** What a path, a query or the headers hold, as whoever reads them has it in the end: a number is one. `examples`: by name. */
export function parameters(
  place: Parameter['in'],
  { shape }: z.ZodObject<Record<string, z.ZodType>>,
  examples: typeof EXAMPLES = EXAMPLES,
): readonly Parameter[] {
  return Object.entries(shape).map(([name, field]) => {
    const { description, ...schema } = jsonSchemaOf(field);
    const required = !field.safeParse(undefined).success;
    const example = examples[name];
    const told = { name, in: place, required, description: String(description), schema };
    return example === undefined ? told : { ...told, example };
  });
}

/** Headers of a message, and of its callbacks. */
export const TRACE = {
  traceparent: z.string().optional().describe("The sender's place in its trace (W3C Trace Context)."),
  tracestate: z.string().optional().describe('What goes with `traceparent`.'),
};

/** Answers that may have the same status, under which the content types of all of them are then. */
export function either(...all: readonly Answers[]): Answers {
  const merged: Record<string, Answer> = {};
  for (const [status, answer] of all.flatMap((answers) => Object.entries(answers))) {
    const other = merged[status];
    merged[status] = other
      ? {
          description: `${other.description}\n\n${answer.description}`,
          headers: eitherHeaders(other.headers, answer.headers),
          content: { ...other.content, ...answer.content },
        }
      : answer;
  }
  return merged;
}

/** One that not both have is not always there. */
function eitherHeaders(one: Headers = {}, other: Headers = {}): Headers {
  const all = Object.entries({ ...one, ...other });
  return Object.fromEntries(
    all.map(([name, told]) => [name, { ...told, required: told.required && name in one && name in other }]),
  );
}
